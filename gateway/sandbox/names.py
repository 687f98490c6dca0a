"""Names and addresses from Faker, drawn once per seed into pools: Faker is too slow to ask for every person."""

from dataclasses import dataclass
from functools import lru_cache

from faker import Faker


@dataclass(frozen=True, slots=True)
class Names:
    """Pools to choose from; repeats keep Faker's frequencies, so namesakes occur as they do in life."""

    girls: tuple[str, ...]
    boys: tuple[str, ...]
    families: tuple[str, ...]
    streets: tuple[str, ...]
    cities: tuple[str, ...]
    zips: tuple[str, ...]
    states: tuple[str, ...]


@lru_cache(maxsize=4)
def pools(seed: int) -> Names:
    """Draw the pools that belong to `seed`; the same seed gives the same names in every process."""
    faker = Faker("en_US")
    faker.seed_instance(seed)

    def draw(provider: str, count: int) -> tuple[str, ...]:
        return tuple(str(getattr(faker, provider)()) for _ in range(count))

    return Names(
        girls=draw("first_name_female", 600),
        boys=draw("first_name_male", 600),
        families=draw("last_name", 1200),
        streets=draw("street_address", 400),
        cities=draw("city", 60),
        zips=draw("postcode", 200),
        states=draw("state_abbr", 12),
    )
