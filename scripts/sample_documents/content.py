"""What each sample says. All companies are invented; identifiers only have valid check digits.

Telephone numbers come from ranges kept free for fiction (Ofcom, Bundesnetzagentur, Arcep), internet
names from `.example` (RFC 2606), IBANs from the published examples of their countries.
"""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal as D

from sample_documents.model import Invoice, Item, Party, Receipt, ReceiptItem

HARBOUR_GROCER = Party(
    name="HARBOUR LANE GROCERS",
    street="14 Harbour Lane",
    town="Brightsea",
    postcode="BN99 4QT",
    postcode_last=True,
    country="United Kingdom",
    country_code="GB",
    phone="01632 960 417",
    tax_id="GB731486237",
)


def _grocery(description: str, price: str, rate: int = 0, quantity: int = 1) -> ReceiptItem:
    return ReceiptItem(description, quantity, D(price), D(rate), "A" if rate else "Z")


RECEIPT_PHOTO = Receipt(
    vendor=HARBOUR_GROCER,
    document_number="0047-118263",
    issue_date=date(2026, 3, 17),
    issue_time=time(17, 42),
    currency="GBP",
    items=(
        _grocery("SOURDOUGH LOAF 800G", "3.20"),
        _grocery("FREE RANGE EGGS X12", "3.65"),
        _grocery("SEMI SKIMMED MILK 2L", "1.55", quantity=2),
        _grocery("MATURE CHEDDAR 400G", "4.10"),
        _grocery("BRAEBURN APPLES", "2.25"),
        _grocery("CHERRY TOMATOES 330G", "1.80"),
        _grocery("GROUND COFFEE 227G", "4.95"),
        _grocery("SPARKLING WATER 1L", "0.85", rate=20, quantity=4),
        _grocery("DARK CHOCOLATE 85%", "2.40", rate=20),
        _grocery("WASHING UP LIQUID", "1.75", rate=20),
        _grocery("KITCHEN ROLL 3PK", "3.30", rate=20),
    ),
    discount=D("1.50"),
    discount_text="MEMBER SAVING",
    payment_method="VISA CONTACTLESS",
    tendered=None,
)

BACKSTUBE = Party(
    name="Backstube Lindenhof GmbH",
    street="Lindenallee 27",
    postcode="50999",
    town="Köln",
    country="Deutschland",
    country_code="DE",
    phone="0221 4710 118",
    tax_id="DE298461733",
)


def _backware(description: str, price: str, rate: int = 7, quantity: int = 1) -> ReceiptItem:
    return ReceiptItem(description, quantity, D(price), D(rate), "A" if rate == 19 else "B")


RECEIPT_DE = Receipt(
    vendor=BACKSTUBE,
    document_number="20417",
    issue_date=date(2026, 5, 9),
    issue_time=time(8, 16),
    currency="EUR",
    items=(
        _backware("Roggenmischbrot 1kg", "5.40"),
        _backware("Laugenbrezel", "1.10", quantity=6),
        _backware("Käsekuchen Stück", "3.80", quantity=2),
        _backware("Streuselschnecke", "2.65"),
        _backware("Cappuccino groß", "3.90", rate=19, quantity=2),
        _backware("Orangensaft 0,2l", "3.20", rate=19),
    ),
    discount=D("0.00"),
    discount_text="",
    payment_method="BAR",
    tendered=D("50.00"),
)


def _part(code: str, description: str, quantity: str, price: str, unit: str = "ea") -> Item:
    unit_code = {"ea": "H87", "box": "XBX", "pk": "XPA"}[unit]
    return Item(code, description, D(quantity), unit, unit_code, D(price), D(20))


INVOICE_SCAN = Invoice(
    number="INV-2026-03418",
    issue_date=date(2026, 4, 14),
    due_date=date(2026, 5, 14),
    delivery_date=date(2026, 4, 9),
    purchase_order="PO-77215",
    vendor=Party(
        name="Ashcombe Fixings & Fasteners Ltd",
        street="Unit 6, Millrace Trading Estate",
        town="Ashcombe",
        postcode="DE99 3LH",
        postcode_last=True,
        country="United Kingdom",
        country_code="GB",
        tax_id="GB284917322",
        registration_id="09417726",
        phone="01632 960 085",
        email="accounts@ashcombe-fixings.example",
        website="www.ashcombe-fixings.example",
    ),
    customer=Party(
        name="Redwood Joinery Workshops Ltd",
        street="31 Tannery Road",
        town="Westerholme",
        postcode="LS99 8DB",
        postcode_last=True,
        country="United Kingdom",
        country_code="GB",
        customer_id="C-10482",
    ),
    currency="GBP",
    iban="GB33BUKB20201555555555",
    bic="BUKBGB22",
    payment_terms="30 days net",
    items=(
        _part("WS-4040", "Wood screw 4.0 x 40 countersunk", "12", "6.45", "box"),
        _part("WS-4050", "Wood screw 4.0 x 50 countersunk", "12", "7.10", "box"),
        _part("WS-5070", "Wood screw 5.0 x 70 countersunk", "8", "9.80", "box"),
        _part("CB-M825", "Coach bolt M8 x 25 zinc", "4", "11.35", "box"),
        _part("CB-M850", "Coach bolt M8 x 50 zinc", "4", "13.20", "box"),
        _part("HB-M1060", "Hex bolt M10 x 60 grade 8.8", "2", "18.75", "box"),
        _part("NY-M8", "Nyloc nut M8 A2 stainless", "3", "8.90", "box"),
        _part("NY-M10", "Nyloc nut M10 A2 stainless", "3", "12.40", "box"),
        _part("WA-M8F", "Form A washer M8", "5", "3.15", "box"),
        _part("WA-M10F", "Form A washer M10", "5", "3.95", "box"),
        _part("TR-M10", "Threaded rod M10 x 1 m", "20", "2.64"),
        _part("RA-810", "Resin anchor cartridge 410 ml", "6", "14.90"),
        _part("SD-1825", "Self-drilling screw 5.5 x 25", "4", "16.25", "box"),
        _part("DS-3580", "Drywall screw 3.5 x 38 collated", "10", "12.15", "box"),
        _part("HG-100", "Butt hinge 100 mm ball bearing", "36", "3.85"),
        _part("HG-075", "Butt hinge 75 mm steel", "48", "1.42"),
        _part("LK-5L", "Five-lever mortice deadlock", "9", "27.60"),
        _part("HD-RND", "Lever handle on round rose", "18", "14.35"),
        _part("DC-EN3", "Overhead door closer size 3", "7", "38.90"),
        _part("CP-20", "Chipboard connector plate", "6", "4.70", "pk"),
        _part("AB-90", "Angle bracket 90 mm heavy duty", "60", "1.18"),
        _part("JH-47", "Joist hanger 47 mm", "40", "2.36"),
        _part("FS-25", "Fixing strap 25 mm x 10 m", "5", "9.45"),
        _part("PU-310", "Polyurethane adhesive 310 ml", "24", "6.20"),
        _part("SE-300", "Acoustic sealant 300 ml", "24", "4.85"),
        _part("TP-50", "Cloth tape 50 mm x 50 m", "12", "5.60"),
        _part("SB-240", "Abrasive sheet grit 240", "8", "7.25", "pk"),
        _part("DB-SET", "HSS drill bit set 1-13 mm", "3", "42.50"),
        _part("BT-PZ2", "Impact bit PZ2 50 mm", "10", "8.15", "pk"),
        _part("GL-L", "Assembly gloves, size L", "15", "3.40", "pk"),
    ),
)

INVOICE_DIGITAL = Invoice(
    number="FA-2026-0187",
    issue_date=date(2026, 6, 3),
    due_date=date(2026, 7, 3),
    delivery_date=date(2026, 5, 28),
    purchase_order="BC-4471",
    vendor=Party(
        name="Atelier Boisclair SARL",
        street="18 rue des Tonneliers",
        postcode="69009",
        town="Lyon",
        country="France",
        country_code="FR",
        tax_id="FR26814203972",
        registration_id="81420397200017",
        phone="01 99 00 42 17",
        email="facturation@atelier-boisclair.example",
        website="www.atelier-boisclair.example",
    ),
    customer=Party(
        name="Hôtel du Vieux Port SAS",
        street="4 quai des Voiliers",
        postcode="13002",
        town="Marseille",
        country="France",
        country_code="FR",
        tax_id="FR55509377149",
        customer_id="CL-0932",
    ),
    currency="EUR",
    iban="FR1420041010050500013M02606",
    bic="PSSTFRPPXXX",
    payment_terms="30 jours net",
    items=(
        Item("BQ-120", "Banquette chêne massif 120 cm", D(6), "pce", "H87", D("348.00"), D(20)),
        Item(
            "TB-080",
            "Table bistrot hêtre, plateau rond 80 cm",
            D(12),
            "pce",
            "H87",
            D("189.50"),
            D(20),
        ),
        Item("CH-021", "Chaise paillée, finition cirée", D(24), "pce", "H87", D("96.75"), D(20)),
        Item(
            "CP-300",
            "Comptoir d'accueil sur mesure, 3,00 m",
            D(1),
            "pce",
            "H87",
            D("2480.00"),
            D(20),
        ),
        Item(
            "RST-01", "Restauration de boiseries murales", D("18.5"), "h", "HUR", D("54.00"), D(10)
        ),
        Item("POS-02", "Pose et réglages sur site", D(14), "h", "HUR", D("48.00"), D(10)),
        Item("LIV-69", "Livraison Lyon - Marseille", D(1), "fft", "C62", D("265.00"), D(20)),
    ),
)

FACTURX = Invoice(
    number="R-2026-2093",
    issue_date=date(2026, 5, 21),
    due_date=date(2026, 6, 20),
    delivery_date=date(2026, 5, 18),
    purchase_order="B-88120",
    vendor=Party(
        name="Grünfeld Bürotechnik GmbH",
        street="Werkstraße 9",
        postcode="10999",
        town="Berlin",
        country="Deutschland",
        country_code="DE",
        tax_id="DE317204859",
        registration_id="HRB 298 417 B",
        phone="030 23125 410",
        email="rechnung@gruenfeld-buero.example",
        website="www.gruenfeld-buero.example",
        contact="Jana Wehrle",
    ),
    customer=Party(
        name="Kanzlei Ostermann & Partner mbB",
        street="Am Stadtgraben 3",
        postcode="04109",
        town="Leipzig",
        country="Deutschland",
        country_code="DE",
        tax_id="DE264913578",
        customer_id="10773",
    ),
    currency="EUR",
    iban="DE02120300000000202051",
    bic="BYLADEM1001",
    payment_terms="Zahlbar innerhalb von 30 Tagen ohne Abzug",
    payment_reference="R-2026-2093",
    items=(
        Item("DR-4410", "Laserdrucker A4 duplex", D(3), "Stk", "H87", D("289.00"), D(19)),
        Item("TN-4410X", "Toner schwarz, 9.000 Seiten", D(8), "Stk", "H87", D("84.90"), D(19)),
        Item("PA-80", "Kopierpapier A4 80 g, 2.500 Blatt", D(20), "Kt", "XCT", D("21.45"), D(19)),
        Item("FB-ARB", "Fachbuch Arbeitsrecht kompakt", D(2), "Stk", "H87", D("49.53"), D(7)),
        Item("WA-INST", "Einrichtung und Netzanbindung", D("4.5"), "Std", "HUR", D("92.00"), D(19)),
    ),
)

XRECHNUNG = Invoice(
    number="2026-00571",
    issue_date=date(2026, 6, 11),
    due_date=date(2026, 7, 11),
    delivery_date=date(2026, 6, 8),
    purchase_order="4500081937",
    vendor=Party(
        name="Wiesental Landschaftsbau GmbH",
        street="Mühlweg 44",
        postcode="60999",
        town="Frankfurt am Main",
        country="Deutschland",
        country_code="DE",
        tax_id="DE305718208",
        registration_id="HRB 118 552",
        phone="+49 69 90009 233",
        email="buchhaltung@wiesental-landschaftsbau.example",
        contact="Tobias Ehrlich",
    ),
    customer=Party(
        name="Stadt Neuhausen, Grünflächenamt",
        street="Rathausplatz 1",
        postcode="72999",
        town="Neuhausen",
        country="Deutschland",
        country_code="DE",
        email="eingangsrechnung@neuhausen.example",
    ),
    currency="EUR",
    iban="DE02100500000054540402",
    bic="BELADEBEXXX",
    payment_terms="Zahlbar innerhalb von 30 Tagen netto",
    payment_reference="2026-00571",
    items=(
        Item(
            "MAEH-1", "Rasenpflege Stadtpark, Juni 2026", D("18500"), "m²", "MTK", D("0.085"), D(19)
        ),
        Item("BAUM-3", "Winterlinde, Stammumfang 18-20 cm", D(12), "Stk", "H87", D("312.50"), D(7)),
        Item(
            "PFL-2",
            "Pflanzarbeiten einschließlich Verankerung",
            D(36),
            "Std",
            "HUR",
            D("51.80"),
            D(19),
        ),
    ),
)
