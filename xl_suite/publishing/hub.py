"""Publishing a folder on the Hub: what would change, then one commit and a tag. Nothing is overwritten unseen."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from xl_suite.errors import BadInput
from xl_suite.publishing.checks import find_files
from xl_suite.publishing.hub_errors import explained
from xl_suite.records import write_text
from xl_suite.surrogates import escape_surrogates

# Where a folder remembers what was published from it; hidden, so that it is not published itself.
RECORD = Path(".cache", "published.json")
_PENDING = " tag"
_BLOCK = 1 << 20
# What the Hub puts into a new repository by itself.
_INITIAL = {
    "dataset": {".gitattributes"},
    "model": {".gitattributes"},
    "space": {".gitattributes", "README.md", "index.html", "style.css"},
}
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Change:
    """A file that differs: `added`, `changed` or `deleted`. size: bytes, of what is here, or there if deleted."""

    path: str
    kind: str
    size: int


@dataclass(frozen=True, slots=True)
class PublishPlan:
    """What publishing would do. head: the remote's newest commit, None where the repository does not exist.

    known: whether this folder has seen that commit: it was published from here, or the repository is as new.
    tag: of the commit to come; where nothing changes, the newest version there, empty for none. is_untagged: whether
    an earlier run made the commit and could not tag it.
    """

    folder: Path
    repo: str
    kind: str
    revision: str
    url: str
    head: str | None
    known: bool
    changes: tuple[Change, ...]
    n_unchanged: int
    tag: str
    is_untagged: bool
    card: str

    def describe(self) -> str:
        """The plan for a person, a line per file."""
        what = "does not exist yet, or you may not see it" if self.head is None else f"is at {self.head[:12]}"
        lines = [f"{self.url} ({self.kind}, {self.revision}) {what}; {self.n_unchanged} files are the same."]
        lines += [f"  {change.kind:<8} {change.path}  {change.size:,} bytes" for change in self.changes]
        if self.changes:
            lines.append(f"One commit, tag {self.tag}.")
        else:
            lines.append(f"Only the tag {self.tag} is missing." if self.is_untagged else "Nothing to do.")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Published:
    """commit: None where nothing had changed. tag: None where none was made."""

    url: str
    commit: str | None
    tag: str | None


def plan_publish(
    folder: Path,
    repo: str,
    *,
    kind: str = "dataset",
    revision: str = "main",
    tag: str | None = None,
    gated_prompt: str | None = None,
) -> PublishPlan:
    """Compares the folder with what is on the Hub, by hash. kind: `dataset`, `model` or `space` (a static one).

    tag: by default 1.0.0, or the version after the newest one there. gated_prompt: what the card tells those who ask
    for access. Raises BadInput for a wrong name of a repository, or a tag that is taken, and HubRefused.
    """
    from huggingface_hub import HfApi

    if not _REPO.fullmatch(repo):
        raise BadInput(
            f"{repo!r} is not a repository on the Hub. Write ORG/NAME, for example xl-suite/xl-alpacaeval."
        )
    api = HfApi()
    url = f"{api.endpoint}/{'' if kind == 'model' else kind + 's/'}{repo}"
    card = (folder / "README.md").read_text(encoding="utf-8")
    if gated_prompt:
        card = add_gate(card, gated_prompt)
    with explained(url):
        head, remote, tags, is_new = _read_remote(api, repo, kind, revision)
    local = {str(path.relative_to(folder)): path for path in find_files(folder)}
    changes, unchanged = _compare(local, remote, card)
    record, key = _read_record(folder), _record_key(repo, kind, revision)
    known = is_new or head == record.get(key) or set(remote) <= _INITIAL[kind]
    pending = record.get(key + _PENDING, "")
    is_untagged = not changes and bool(pending) and pending not in tags
    chosen = tag or (next_version(tags) if changes else pending if is_untagged else newest_version(tags))
    if tag in tags and changes:
        raise BadInput(f"{repo} has the tag {tag} already. The next free version is {next_version(tags)}.")
    return PublishPlan(folder, repo, kind, revision, url, head, known, changes, unchanged, chosen, is_untagged, card)


def publish(
    plan: PublishPlan, *, private: bool = False, gated: str | None = None, over: str | None = None
) -> Published:
    """Makes the repository if need be, uploads what changed in one commit on top of what was compared, and tags it.

    over: the commit that may be replaced though this folder has not seen it. gated: `auto` or `manual`.
    Raises BadInput where the remote has commits that the folder has not seen, and HubRefused; nothing is then there
    that was not before, but for an empty repository, or for a commit whose answer was lost: the next run finds it.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    api = HfApi()
    if plan.head is not None and not plan.changes:
        with explained(plan.url):
            if gated is not None:
                api.update_repo_settings(plan.repo, repo_type=plan.kind, gated=gated)
        if plan.is_untagged:
            with explained(plan.url, plan.head):
                api.create_tag(plan.repo, tag=plan.tag, revision=plan.head, repo_type=plan.kind)
        _write_record(plan, plan.head)
        return Published(plan.url, None, plan.tag if plan.is_untagged else None)
    if not plan.known and over != plan.head:
        raise BadInput(
            f"{plan.url} has commits that this folder has not seen (newest: {plan.head}). `--dry-run` shows what "
            f"would change; `--over {plan.head}` puts this folder in its place."
        )
    with explained(plan.url):
        sdk = {"space_sdk": "static"} if plan.kind == "space" else {}
        api.create_repo(plan.repo, repo_type=plan.kind, private=private or None, exist_ok=True, **sdk)
        head = plan.head
        if head is None:
            head, there, _, _ = _read_remote(api, plan.repo, plan.kind, "main")
            if set(there) - _INITIAL[plan.kind]:
                raise BadInput(f"{plan.url} was made by somebody else in the meantime. Run the same command again.")
        if gated is not None:
            api.update_repo_settings(plan.repo, repo_type=plan.kind, gated=gated)
        if plan.revision != "main":
            api.create_branch(plan.repo, branch=plan.revision, repo_type=plan.kind, exist_ok=True)
        operations: list[Any] = []
        for change in plan.changes:
            if change.kind == "deleted":
                operations.append(CommitOperationDelete(change.path))
            else:
                content = plan.card.encode() if change.path == "README.md" else str(plan.folder / change.path)
                operations.append(CommitOperationAdd(change.path, content))
        # Should the answer to the commit be lost, the next run finds nothing changed, and this tag missing.
        _write_record(plan, None, pending=plan.tag)
        commit = api.create_commit(
            plan.repo,
            operations,
            commit_message=f"Publish {plan.tag} with xl-suite",
            repo_type=plan.kind,
            revision=plan.revision,
            parent_commit=head,
        )
        _write_record(plan, commit.oid, pending=plan.tag)
    with explained(plan.url, commit.oid):
        api.create_tag(plan.repo, tag=plan.tag, revision=commit.oid, repo_type=plan.kind)
    _write_record(plan, commit.oid)
    return Published(plan.url, commit.oid, plan.tag)


def newest_version(tags: Sequence[str]) -> str:
    """The tag of the newest version; empty where no tag is one."""
    versions = {tuple(map(int, match.groups())): tag for tag in tags if (match := _VERSION.fullmatch(tag))}
    return versions[max(versions)] if versions else ""


def next_version(tags: Sequence[str]) -> str:
    """1.0.0 where no tag is a version, else the newest one with its minor number raised."""
    versions = [tuple(map(int, match.groups())) for tag in tags if (match := _VERSION.fullmatch(tag))]
    if not versions:
        return "1.0.0"
    major, minor, _ = max(versions)
    return f"{major}.{minor + 1}.0"


def add_gate(card: str, prompt: str) -> str:
    """The card with the field that the Hub shows to those who ask for access."""
    start, mark, rest = card.partition("---\n")
    if start or not mark:
        raise BadInput("The card has no YAML at its top, so it cannot say what access asks for.")
    return f"---\nextra_gated_prompt: {escape_surrogates(json.dumps(prompt, ensure_ascii=False))}\n{rest}"


def _read_remote(api: Any, repo: str, kind: str, revision: str) -> tuple[str | None, dict[str, Any], list[str], bool]:
    """(newest commit, file by path, tags, whether the branch is new); no commit where there is no repository.

    A new branch is compared with main, from which it will start.
    """
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        refs = api.list_repo_refs(repo, repo_type=kind)
    except RepositoryNotFoundError:
        return None, {}, [], True
    branches = {ref.name: ref.target_commit for ref in refs.branches}
    head = branches.get(revision) or branches["main"]
    tree = api.list_repo_tree(repo, repo_type=kind, revision=head, recursive=True)
    files = {entry.path: entry for entry in tree if hasattr(entry, "blob_id")}
    return head, files, [ref.name for ref in refs.tags], revision not in branches


def _compare(local: dict[str, Path], remote: dict[str, Any], card: str) -> tuple[tuple[Change, ...], int]:
    changes = []
    for name, path in sorted(local.items()):
        size = len(card.encode()) if name == "README.md" else path.stat().st_size
        there = remote.get(name)
        if there is None:
            changes.append(Change(name, "added", size))
        elif there.size != size or not _is_same(path, size, card if name == "README.md" else None, there):
            changes.append(Change(name, "changed", size))
    unchanged = len(local) - len(changes)
    gone = sorted(set(remote) - set(local) - {".gitattributes"})
    return (*changes, *(Change(name, "deleted", remote[name].size) for name in gone)), unchanged


def _is_same(path: Path, size: int, text: str | None, there: Any) -> bool:
    """Whether a file, or the text that is published in its place, is what is there. Read by blocks: it can be GB."""
    digest = hashlib.sha256() if there.lfs is not None else hashlib.sha1(b"blob %d\0" % size)
    with path.open("rb") if text is None else BytesIO(text.encode()) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return bool(digest.hexdigest() == (there.lfs.sha256 if there.lfs is not None else there.blob_id))


def _record_key(repo: str, kind: str, revision: str) -> str:
    from huggingface_hub import HfApi

    return f"{HfApi().endpoint} {kind} {repo} {revision}"


def _read_record(folder: Path) -> dict[str, str]:
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _write_record(plan: PublishPlan, commit: str | None, pending: str = "") -> None:
    """Notes the commit that this folder has seen (None: no other than before), and the tag that it is to get."""
    key = _record_key(plan.repo, plan.kind, plan.revision)
    record = _read_record(plan.folder)
    record |= {key: commit} if commit else {}
    record.pop(key + _PENDING, None)
    record |= {key + _PENDING: pending} if pending else {}
    write_text(plan.folder / RECORD, json.dumps(record, indent=2, sort_keys=True) + "\n")


def to_json(plan: PublishPlan) -> dict[str, Any]:
    """The plan as `--dry-run --json` prints it."""
    return {
        "url": plan.url,
        "kind": plan.kind,
        "revision": plan.revision,
        "head": plan.head,
        "known": plan.known,
        "changes": [asdict(change) for change in plan.changes],
        "n_unchanged": plan.n_unchanged,
        "tag": plan.tag,
    }
