"""What `doctor` finds: sentences, and whether each is good news."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence about what was found; not `fine` where something is amiss, `advice` where it could be better."""

    fine: bool
    sentence: str
    advice: bool = False

    @property
    def word(self) -> str:
        """Return what stands before the sentence."""
        return "NOT OK" if not self.fine else "advice" if self.advice else "ok"
