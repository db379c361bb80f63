"""The document and its history: commands, journal, gathering of inputs, storing of results, proof."""

from .command import Command
from .corrections import correct, corrections
from .document import GLOBAL, Document
from .domain_refit import finish_domain_refit, refit_domains, refit_domains_now
from .outdated import Outdated, outdated
from .provenance import read_recipe, recipe, replay, scratch, write_recipe
from .refitting import finish_refit, refit, refit_now
from .run import finish, prepare, run
from .selection import (
    DeconvolutionSelection,
    DomainsSelection,
    EmbeddingSelection,
    RegistrationSelection,
    SegmentationSelection,
    Selection,
    StackSelection,
    selection_from,
)
from .session import Entry, Session

__all__ = [
    "GLOBAL",
    "Command",
    "DeconvolutionSelection",
    "Document",
    "DomainsSelection",
    "EmbeddingSelection",
    "Entry",
    "Outdated",
    "RegistrationSelection",
    "SegmentationSelection",
    "Selection",
    "Session",
    "StackSelection",
    "correct",
    "corrections",
    "finish",
    "finish_domain_refit",
    "finish_refit",
    "outdated",
    "prepare",
    "read_recipe",
    "recipe",
    "refit",
    "refit_domains",
    "refit_domains_now",
    "refit_now",
    "replay",
    "run",
    "scratch",
    "selection_from",
    "write_recipe",
]
