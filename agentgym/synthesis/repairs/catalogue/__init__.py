"""The family's templates, by what they go over."""

from __future__ import annotations

from agentgym.synthesis.repairs.catalogue.filters import FILTERS
from agentgym.synthesis.repairs.catalogue.lists import LISTS
from agentgym.synthesis.repairs.catalogue.numbers import NUMBERS
from agentgym.synthesis.repairs.catalogue.pairs import PAIRS
from agentgym.synthesis.repairs.catalogue.tables import TABLES
from agentgym.synthesis.repairs.catalogue.texts import TEXTS
from agentgym.synthesis.repairs.template import Template

TEMPLATES: dict[str, Template] = {
    template.name: template for template in (*FILTERS, *LISTS, *PAIRS, *TEXTS, *TABLES, *NUMBERS)
}
"""By name."""
