"""What a model was asked about a document and what it said, and what that makes of the findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lib.domain.document import Page
from lib.domain.extraction import Candidate, ModelWeights, RawExtraction
from lib.domain.task import FieldSpec, FieldType, Task
from lib.kie.models.grounded import ground
from lib.kie.models.said import ModelAnswer


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer before anybody looked whether it is printed.

    `fields`: the names of what was asked for. `kept`: tables that stay what the rules found.
    `competes`: the rules' candidates stand beside the model's, and are all there is of a field that
    was not asked for; without it every field is the model's alone. `weights` are the model's.
    """

    answer: ModelAnswer
    fields: tuple[str, ...]
    weights: ModelWeights
    warnings: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    competes: bool = False

    def over(self, rules: RawExtraction, pages: Sequence[Page], task: Task) -> RawExtraction:
        """Candidates for what is printed on these pages, doubts for what is not.

        `rules` is what was found there without a model, `task` the one whose fields were asked for.
        """
        specs = [spec for spec in task.fields if spec.name in self.fields]
        found = ground(self.answer, specs, pages, rules)
        tables = {**found.tables, **{name: rules.tables[name] for name in self.kept}}
        asked = replace(
            rules,
            fields=found.fields,
            tables=tables,
            doubts=found.doubts,
            lost_cells=found.lost,
            warnings=(*rules.warnings, *self.warnings),
            task=task,
            model_weights=self.weights,
        )
        return _beside(rules, asked, specs) if self.competes else asked


def _beside(
    rules: RawExtraction, model: RawExtraction, asked: Sequence[FieldSpec]
) -> RawExtraction:
    """The model's findings with the rules' beside them; a table is the model's when it found rows
    of it.
    """
    fields = dict(rules.fields)
    tables = dict(rules.tables)
    for spec in asked:
        if spec.type is FieldType.TABLE:
            if rows := model.tables.get(spec.name):
                tables[spec.name] = rows
        elif found := (*model.fields.get(spec.name, ()), *rules.fields.get(spec.name, ())):
            fields[spec.name] = tuple(sorted(found, key=_by_score))
    return replace(model, fields=fields, tables=tables)


def _by_score(candidate: Candidate) -> float:
    return -candidate.score
