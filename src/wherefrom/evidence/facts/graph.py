"""An answer as a graph one can ask: who made this version, who used it, what is at the ends."""

from __future__ import annotations

from functools import cached_property

from wherefrom.lineage import Answer, Edge, Run, Version


class Graph:
    """Look-ups into one answer. Every list is in the answer's order; edges name versions and runs that it holds."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.versions: dict[int, Version] = {version.key: version for version in answer.versions}
        self.runs: dict[str, Run] = {run.run_id: run for run in answer.runs}
        self._of_version: dict[tuple[str, int], list[Edge]] = {}
        self._of_run: dict[tuple[str, str], list[Edge]] = {}
        for edge in answer.edges:
            self._of_version.setdefault((edge.relation, edge.version), []).append(edge)
            self._of_run.setdefault((edge.relation, edge.run_id), []).append(edge)
        self._names: dict[tuple[str, str], int] = {}
        for version in answer.versions:
            name = (version.namespace, version.name)
            self._names[name] = self._names.get(name, 0) + 1

    @property
    def subject(self) -> Version:
        return self.versions[self.answer.subject]

    def makers_of(self, version: Version) -> list[Edge]:
        """How each run in the answer that made this content is known to have made it."""
        return self._of_version.get(("was_generated_by", version.key), [])

    def uses_of(self, version: Version) -> list[Edge]:
        return self._of_version.get(("used", version.key), [])

    def inputs_of(self, run: Run) -> list[Edge]:
        return self._of_run.get(("used", run.run_id), [])

    def outputs_of(self, run: Run) -> list[Edge]:
        return self._of_run.get(("was_generated_by", run.run_id), [])

    def edges_of(self, version: Version) -> list[Edge]:
        return [*self.makers_of(version), *self.uses_of(version)]

    @cached_property
    def sources(self) -> dict[int, Version]:
        """By key: versions that nothing in the answer made, and that are not merely where the walk stopped."""
        if self.answer.direction == "down":
            return {self.subject.key: self.subject}
        ends = (v for v in self.answer.versions if not self.makers_of(v) and not self.is_beyond(v))
        return {version.key: version for version in ends if self.uses_of(version)}

    def results(self) -> list[Version]:
        """Versions made by a run of the answer."""
        return [version for version in self.answer.versions if self.makers_of(version)]

    def is_beyond(self, version: Version) -> bool:
        """Made by runs that lie past the depth asked for."""
        return self.answer.is_cut and version.makers > 0 and not self.makers_of(version)

    def shares_its_name(self, version: Version) -> bool:
        """Another version of the same entity is in the answer, so that the name alone does not say which."""
        return self._names[version.namespace, version.name] > 1
