"""Words Clever's records are made of: enum values as the v3.1 swagger spells them, and course and title words.

Only values; no person names (those come from Faker) and no randomness.
"""

ROLES = ("student", "teacher", "staff", "district_admin", "contact")

# In the order of a school career, so that a school's range is a slice.
GRADES = ("PreKindergarten", "TransitionalKindergarten", "Kindergarten", *(str(n) for n in range(1, 13)))
ODD_GRADES = ("13", "PostGraduate", "Ungraded", "Other")

ELEMENTARY = {
    "english/language arts": ("Reading", "Writing Workshop", "Phonics"),
    "math": ("Mathematics", "Number Talks"),
    "science": ("Science",),
    "social studies": ("Social Studies", "Our Community"),
    "homeroom/advisory": ("Homeroom", "Morning Meeting"),
    "interventions/online learning": ("Reading Support", "Math Support"),
    "PE and health": ("Physical Education",),
    "arts and music": ("Art", "General Music"),
    "other": ("Library",),
}
SECONDARY = {
    "english/language arts": ("English 9", "American Literature", "Journalism", "Composition"),
    "math": ("Algebra I", "Geometry", "Algebra II", "Precalculus", "Statistics"),
    "science": ("Biology", "Chemistry", "Physics", "Earth Science"),
    "social studies": ("World History", "US History", "Civics", "Economics"),
    "language": ("Spanish I", "Spanish II", "French I", "Mandarin I"),
    "homeroom/advisory": ("Advisory",),
    "interventions/online learning": ("Credit Recovery", "Study Skills"),
    "technology and engineering": ("Computer Science", "Robotics", "Woodshop"),
    "PE and health": ("Health", "Weight Training"),
    "arts and music": ("Concert Band", "Ceramics", "Theater", "Choir & Orchestra"),
    "other": ("Yearbook", "Driver's Education"),
    "": ("Independent Study",),
}

GENDERS = ("F", "M", "F", "M", "F", "M", "F", "M", "X", "")
RACES = (
    "Caucasian",
    "Black or African American",
    "Asian",
    "American Indian",
    "Hawaiian or Other Pacific Islander",
    "Two or More Races",
    "Unknown",
    "",
)
FRL_STATUSES = ("Free", "Reduced", "Paid", "Paid", "Other", "")
# Free text in Clever, so no two districts write it alike.
IEP_STATUSES = ("Y", "N", "Active", "")
YES_NO = ("Y", "N", "N", "")

# The swagger lists names and codes separately and unaligned; these pairs are ISO 639-3.
LANGUAGES = (
    ("English", "eng"),
    ("English", "eng"),
    ("English", "eng"),
    ("Spanish", "spa"),
    ("Spanish", "spa"),
    ("Vietnamese", "vie"),
    ("Arabic", "ara"),
    ("Cantonese", "yue"),
    ("Mandarin", "cmn"),
    ("Korean", "kor"),
    ("Tagalog", "tgl"),
    ("Haitian Creole", "hat"),
    ("Hmong", "hmn"),
    ("Somali", "som"),
    ("Russian", "rus"),
    ("Portuguese", "por"),
    ("French", "fra"),
    ("Other", "other"),
)
DISABILITIES = (
    ("Autism", "aut"),
    ("Deaf-blindness", "db"),
    ("Developmental delay", "dd"),
    ("Emotional disturbance", "emn"),
    ("Hearing impairment", "hi"),
    ("Intellectual Disability", "id"),
    ("Multiple disabilities", "md"),
    ("Orthopedic impairment", "oi"),
    ("Other", "other"),
    ("Other health impairment", "ohi"),
    ("Specific learning disability", "sld"),
    ("Speech or language impairment", "sli"),
    ("Traumatic brain injury", "tbi"),
    ("Visual impairment", "vi"),
)

PHONE_TYPES = ("Cell", "Home", "Work", "Other", "")
RELATIONSHIPS = ("Parent", "Parent", "Other", "Other", "Grandparent", "Aunt/Uncle", "Sibling", "Self", "")
CONTACT_TYPES = ("Parent/Guardian", "Parent/Guardian", "Emergency", "Primary", "Secondary", "Family", "Other", "")

TEACHER_TITLES = ("Teacher", "Classroom Teacher", "Special Education Teacher", "")
AIDE_TITLES = ("Instructional Aide", "Counselor", "Principal", "Reading Specialist")
STAFF_TITLES = ("Principal", "Assistant Principal", "Office Manager", "Tech Coordinator", "")
STAFF_DEPARTMENTS = ("Administration", "Technology", "Front Office", "")
STAFF_GRANTS: tuple[tuple[str, ...], ...] = (("SchoolTechLead",), ("PortalOnly",), ())
ADMIN_TITLES = ("Superintendent", "Director of Technology", "Data Manager")

# Name, first day, last day; `None` leaves the key out, as districts that fill only part of a term do.
TERMS: tuple[tuple[str | None, str | None, str | None], ...] = (
    ("2025-2026", "2025-08-18", "2026-05-29"),
    ("Fall 2025", "2025-08-18", "2025-12-19"),
    (None, "2026-01-06", "2026-05-29"),
    ("Summer 2026", "2026-06-08", ""),
    ("Quarter 3", "2026-01-06", "2026-03-13"),
)
UNUSED_TERM = 3
