"""Documents by id: the manifests that clients write, the store of registered texts, and what each mode lets through."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.engine.executor import Request
from gateway.engine.persisted import Asked, ManifestError, PersistedDocuments, read_manifest
from gateway.errors import RequestRefused

TEXT, OTHER = "{ __typename }", "{ district { name } }"


def hash_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def refusal_of(documents: PersistedDocuments, asked: Asked) -> tuple[str, str, int]:
    with pytest.raises(RequestRefused) as refused:
        documents.request(asked)
    return refused.value.public_code, str(refused.value), refused.value.status


class TestManifests:
    @pytest.mark.parametrize(
        "held",
        [
            {"a1": TEXT, "b2": OTHER},
            {"sha256:a1": TEXT, "b2": OTHER},
            {
                "format": "apollo-persisted-query-manifest",
                "version": 1,
                "operations": [
                    {"id": "a1", "name": "One", "type": "query", "body": TEXT},
                    {"id": "b2", "name": "Two", "type": "query", "body": OTHER},
                ],
            },
        ],
        ids=["codegen and Relay", "with the name of the hash", "Apollo"],
    )
    def test_those_that_tools_write_are_read(self, tmp_path: Path, held: object) -> None:
        path = tmp_path / "persisted-documents.json"
        path.write_text(json.dumps(held))

        assert read_manifest(path) == {"a1": TEXT, "b2": OTHER}

    @pytest.mark.parametrize(
        ("written", "problem"),
        [
            ("[]", "must be an object"),
            ('{"a": 1}', "must be an object"),
            ('{"a": {"body": "{ a }"}}', "must be an object"),
            ('{"format": "apollo-persisted-query-manifest"}', "must be an object"),
            ('{"format": "apollo-persisted-query-manifest", "operations": [{"id": "a"}]}', "must be an object"),
            ("{", "is not JSON"),
            ("\xff", "is not JSON"),
        ],
    )
    def test_any_other_is_refused_in_a_sentence(self, tmp_path: Path, written: str, problem: str) -> None:
        path = tmp_path / "manifest.json"
        path.write_bytes(written.encode("latin-1"))
        with pytest.raises(ManifestError, match=problem):
            read_manifest(path)

    def test_one_that_is_not_there_is_told_so(self, tmp_path: Path) -> None:
        with pytest.raises(ManifestError, match="cannot be read"):
            read_manifest(tmp_path / "none.json")


class TestAutomatic:
    def test_a_text_registered_under_its_hash_is_found_by_it(self) -> None:
        documents = PersistedDocuments(1_000)
        not_found = ("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound", 200)
        by_hash, whole = Asked(sha256=hash_of(TEXT)), Asked(TEXT, sha256=hash_of(TEXT))
        assert refusal_of(documents, by_hash) == not_found

        assert documents.request(whole) == Request(TEXT)
        assert refusal_of(documents, by_hash) == not_found
        documents.register(whole)
        assert documents.request(Asked(None, "A", {"a": 1}, sha256=hash_of(TEXT))) == Request(TEXT, "A", {"a": 1})

    def test_a_hash_that_is_not_the_texts_is_refused(self) -> None:
        asked = Asked(TEXT, sha256=hash_of(OTHER))
        expected = ("BAD_USER_INPUT", "provided sha does not match query", 400)

        assert refusal_of(PersistedDocuments(1_000), asked) == expected

    def test_a_text_without_a_hash_is_not_kept(self) -> None:
        documents = PersistedDocuments(1_000)
        documents.register(Asked(TEXT))

        assert refusal_of(documents, Asked(sha256=hash_of(TEXT)))[1] == "PersistedQueryNotFound"

    def test_no_memory_turns_it_off(self) -> None:
        documents = PersistedDocuments(0)
        expected = ("PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported", 200)

        assert refusal_of(documents, Asked(sha256=hash_of(TEXT))) == expected
        assert documents.request(Asked(TEXT, sha256=hash_of(TEXT))) == Request(TEXT)

    def test_the_store_is_bounded_and_forgets_what_was_used_longest_ago(self) -> None:
        texts = [f"{{ a{number}: __typename }}" for number in range(4)]
        documents = PersistedDocuments(3 * 350)

        def known(text: str) -> bool:
            try:
                return documents.request(Asked(sha256=hash_of(text))) == Request(text)
            except RequestRefused:
                return False

        for text in texts[:3]:
            documents.register(Asked(text, sha256=hash_of(text)))
        assert known(texts[0])
        documents.register(Asked(texts[3], sha256=hash_of(texts[3])))
        assert [known(text) for text in texts] == [True, False, True, True]
        large = "{ __typename }" + " " * 2_000
        documents.register(Asked(large, sha256=hash_of(large)))
        assert [known(text) for text in [*texts, large]] == [True, False, True, True, False]
        for _ in range(5):
            documents.register(Asked(texts[0], sha256=hash_of(texts[0])))
        assert [known(text) for text in texts] == [True, False, True, True]
        wide = "{ __typename # " + "é" * 200 + "\n}"
        documents.register(Asked(wide, sha256=hash_of(wide)))
        assert not known(wide)


class TestTrusted:
    TRUSTED = {"a1": TEXT, hash_of(TEXT): TEXT}

    def test_ids_are_found_in_every_mode(self) -> None:
        for mode in ("off", "log", "enforce"):
            documents = PersistedDocuments(0, self.TRUSTED, mode)
            for asked in (
                Asked(document_id="a1"),
                Asked(document_id=f"sha256:{hash_of(TEXT)}"),
                Asked(sha256=hash_of(TEXT)),
                Asked(TEXT),
            ):
                assert documents.request(asked) == Request(TEXT)

    def test_an_id_that_is_not_there_is_refused_with_what_to_do(self) -> None:
        for documents in (PersistedDocuments(1_000, self.TRUSTED), PersistedDocuments(1_000)):
            code, message, status = refusal_of(documents, Asked(document_id="MARKED"))
            assert (code, status) == ("PERSISTED_QUERY_NOT_FOUND", 404)
            assert "Publish the client's manifest" in message
            assert "MARKED" not in message

    def test_others_are_refused_where_that_is_enforced(self) -> None:
        told: list[str] = []
        documents = PersistedDocuments(1_000, self.TRUSTED, "enforce", told.append)

        for text in (OTHER, f"{TEXT} "):
            code, message, status = refusal_of(documents, Asked(text))
            assert (code, status) == ("DOCUMENT_NOT_TRUSTED", 403)
            assert "Only trusted documents may be run here" in message
        documents.register(Asked(OTHER, sha256=hash_of(OTHER)))
        assert refusal_of(documents, Asked(sha256=hash_of(OTHER)))[0] == "PERSISTED_QUERY_NOT_FOUND"
        assert told == []

    def test_others_are_told_by_their_hash_alone_where_that_is_asked_for(self) -> None:
        told: list[str] = []
        documents = PersistedDocuments(1_000, self.TRUSTED, "log", told.append)

        assert documents.request(Asked(OTHER)) == Request(OTHER)
        assert documents.request(Asked(TEXT)) == Request(TEXT)
        assert told == [hash_of(OTHER)]

    def test_others_run_silently_where_it_is_off_or_there_is_no_manifest(self) -> None:
        told: list[str] = []
        off = PersistedDocuments(1_000, self.TRUSTED, "off", told.append)
        without = PersistedDocuments(1_000, None, "enforce", told.append)

        for documents in (off, without):
            assert documents.request(Asked(OTHER)) == Request(OTHER)
        assert told == []
