"""How big a generated district is: the named sizes, and nothing about how it is generated.

Ratios follow Clever's own sandbox district: about nine sections a student, one contact a student, one teacher
in eight without a class. Counts are of shared records; each district also has a few that are not shared.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """Counts of one district's shared records; a person with two roles counts once under each."""

    schools: int
    students: int
    teachers: int
    staff: int
    district_admins: int
    contacts: int
    sections: int
    courses: int
    terms: int

    @property
    def unshared_students(self) -> int:
        """Students that exist and are referred to, but are not shared with the app."""
        return max(2, self.students // 100)


SIZES: dict[str, Preset] = {
    "tiny": Preset(2, 200, 14, 6, 3, 260, 60, 40, 4),
    "sandbox": Preset(5, 1_000, 89, 9, 3, 1_000, 378, 343, 5),
    "median": Preset(7, 3_700, 245, 21, 4, 4_800, 1_100, 420, 5),
    "large": Preset(50, 30_000, 2_000, 150, 8, 39_000, 9_000, 1_200, 5),
    # The mean of the hundred largest districts of the United States.
    "top100": Preset(169, 112_000, 7_000, 507, 20, 146_000, 34_000, 3_000, 5),
}

PRESETS: tuple[str, ...] = tuple(SIZES)
