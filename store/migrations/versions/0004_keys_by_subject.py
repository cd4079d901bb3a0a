"""Keys are found by their subject alone.

Whether a pseudonym's person was erased is told by the receipt of the erasure. The index of
pseudonyms was one more page to write for nearly every new person.
"""

from alembic import op

revision = "0004_keys_by_subject"
down_revision = "0003_rejections"


def upgrade() -> None:
    """Drop the index of pseudonyms."""
    op.drop_index(op.f("ix_subject_keys_pseudonym"), table_name="subject_keys")
