// Decimal numbers, exact: an integer of the smallest units and how many of its digits are decimals.

const PLAIN = /^([+-]?)(\d*)(?:\.(\d*))?$/;

export class Decimal {
  #units;
  #scale;

  /** `units` (BigInt) divided by ten to the power of `scale`. */
  constructor(units, scale) {
    this.#units = units;
    this.#scale = scale;
  }

  static zero = new Decimal(0n, 0);

  /** Of a plain number such as `-1234.50`; null of anything else, exponents included. */
  static parse(text) {
    const [, sign, whole, decimals = ""] = PLAIN.exec(text ?? "") ?? [];
    if (sign === undefined || (whole === "" && decimals === "")) return null;
    const units = BigInt(whole + decimals);
    return new Decimal(sign === "-" ? -units : units, decimals.length);
  }

  /** The sum of texts; null if one of them is no number. */
  static sum(texts) {
    let total = Decimal.zero;
    for (const text of texts) {
      const term = Decimal.parse(text);
      if (!term) return null;
      total = total.plus(term);
    }
    return total;
  }

  plus(other) {
    const scale = Math.max(this.#scale, other.#scale);
    return new Decimal(this.#at(scale) + other.#at(scale), scale);
  }

  minus(other) {
    return this.plus(new Decimal(-other.#units, other.#scale));
  }

  times(other) {
    return new Decimal(this.#units * other.#units, this.#scale + other.#scale);
  }

  /** Half away from zero to `scale` decimals, as invoices are rounded. */
  round(scale) {
    if (scale >= this.#scale) return new Decimal(this.#at(scale), scale);
    const step = 10n ** BigInt(this.#scale - scale);
    const size = this.#units < 0n ? -this.#units : this.#units;
    const rounded = (size + step / 2n) / step;
    return new Decimal(this.#units < 0n ? -rounded : rounded, scale);
  }

  equals(other) {
    return this.minus(other).isZero;
  }

  /** Whether it lies within `distance` of `other`, the ends included. */
  isNear(other, distance) {
    const gap = this.minus(other);
    const size = gap.#units < 0n ? new Decimal(-gap.#units, gap.#scale) : gap;
    return distance.minus(size).#units >= 0n;
  }

  get isZero() {
    return this.#units === 0n;
  }

  /** How many decimals it is written with. */
  get scale() {
    return this.#scale;
  }

  toString() {
    const digits = (this.#units < 0n ? -this.#units : this.#units).toString().padStart(this.#scale + 1, "0");
    const cut = digits.length - this.#scale;
    const sign = this.#units < 0n ? "-" : "";
    return sign + digits.slice(0, cut) + (this.#scale ? `.${digits.slice(cut)}` : "");
  }

  #at(scale) {
    return this.#units * 10n ** BigInt(scale - this.#scale);
  }
}
