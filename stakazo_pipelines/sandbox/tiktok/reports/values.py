"""Metrics of table rows as numbers: measures, what follows from them, ratios. Nothing is divided by zero."""

from collections.abc import Mapping

import numpy as np

from stakazo_pipelines.sandbox.tiktok.directory import Directory
from stakazo_pipelines.sandbox.tiktok.reports import catalogue
from stakazo_pipelines.sandbox.tiktok.reports.query import Comparison, Query
from stakazo_pipelines.sandbox.tiktok.reports.table import Column, Table

# What counts as a result, by the world's goal of an ad group or objective of a campaign; purchases otherwise.
_RESULTS: Mapping[str, str] = {
    "LINK_CLICKS": "clicks",
    "LANDING_PAGE_VIEWS": "landing_page_views",
    "REACH": "reach",
    "POST_ENGAGEMENT": "post_engagement",
    "THRUPLAY": "thruplays",
    "OUTCOME_TRAFFIC": "clicks",
    "OUTCOME_AWARENESS": "reach",
    "OUTCOME_ENGAGEMENT": "post_engagement",
}
# Plays thin out from the views that begin to those that end.
_PLAYED = {"played_25": 0.75, "played_50": 0.5, "played_75": 0.25}


class Values:
    """Numbers of one table for one query."""

    def __init__(self, directory: Directory, query: Query, table: Table) -> None:
        self._directory, self._query, self._table = directory, query, table

    def measure(self, name: str) -> Column:
        measures = self._table.measures
        if name in measures:
            return measures[name]
        if name in _PLAYED:
            begun, ended = measures["video_views"], measures["thruplays"]
            return np.asarray(ended + np.floor(_PLAYED[name] * (begun - ended)), dtype=np.int64)
        if name == "result":
            return self._results()
        return np.zeros(len(self._table), dtype=np.int64)

    def metric(self, name: str) -> Column:
        """Numbers of a metric that is no attribute; a ratio over nothing is 0, as TikTok has it."""
        ratio = catalogue.RATIOS.get(name)
        if ratio is None:
            return self.measure(catalogue.measures(name)[0])
        over, under = self.measure(ratio.over), self.measure(ratio.under)
        return np.asarray(np.where(under > 0, ratio.scale * over / np.where(under > 0, under, 1), 0.0))

    def passing(self, comparisons: tuple[Comparison, ...]) -> Column:
        """Which rows pass the filters on metrics."""
        kept = np.ones(len(self._table), dtype=np.bool_)
        for item in comparisons:
            value = self.metric(item.metric)
            kept &= {
                "GREATER_EQUAL": value >= item.low,
                "GREATER_THAN": value > item.low,
                "LOWER_EQUAL": value <= item.low,
                "LOWER_THAN": value < item.low,
                "BETWEEN": (value >= item.low) & (value <= item.high),
            }[item.kind]
        return kept

    def _results(self) -> Column:
        world, level = self._directory.kernel.world, self._query.level
        if self._query.id_dimension is None or level == "account":
            return self._table.measures["purchases"]
        entities, inverse = np.unique(self._table.entity, return_inverse=True)
        out = np.zeros(len(self._table), dtype=np.int64)
        words = []
        for entity_id in entities:
            if level == "campaign":
                words.append(world.campaigns[entity_id].objective)
            else:
                group = world.ads[entity_id].ad_group_id if level == "ad" else entity_id
                words.append(world.ad_groups[group].optimization_goal)
        which = np.array([_RESULTS.get(word, "purchases") for word in words], dtype=object)[inverse]
        for name in set(which):
            out = np.where(which == name, self._table.measures[name], out)
        return out
