"""Reading a dataset's files from the Hub, at a revision that is found out first and recorded."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from xl_suite.errors import BadInput

# Seconds to wait for the Hub before saying that it does not answer.
TIMEOUT_S = 10.0
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)


class HubUnreachable(BadInput):
    """The Hub does not answer, or not to us, and the files are not in its local cache either."""


@dataclass(frozen=True, slots=True)
class HubFiles:
    """The files of a dataset on the Hub at one revision, a commit."""

    repo: str
    revision: str
    files: tuple[str, ...]


def find_on_hub(repo: str) -> HubFiles:
    """The newest revision of a dataset; where the Hub does not answer, the newest in the local cache.

    Raises HubUnreachable, saying what to do without the Hub, and BadInput for a dataset that does not exist.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        info = HfApi().dataset_info(repo, timeout=TIMEOUT_S)
    except RepositoryNotFoundError as error:
        raise BadInput(f"{repo}: neither a file here nor a dataset on the Hub that you may read.") from error
    except Exception as error:  # a dozen kinds: the client's own and its transport's, which changes with its version
        cached = _find_in_cache(repo)
        if cached is not None:
            return cached
        raise HubUnreachable(
            f"{repo} is not a file here, and the Hub does not answer ({_shorten(error)}). Without it: get the "
            "dataset's JSON elsewhere and give its path, such as --source alpaca_eval.json."
        ) from error
    return HubFiles(repo, str(info.sha), tuple(file.rfilename for file in info.siblings or ()))


def find_dataset_folder(source: str | os.PathLike[str]) -> Path:
    """The folder of a dataset: the one at a path, or the newest revision of a Hub ID in the local cache.

    Raises BadInput where `source` is neither, and HubUnreachable where the Hub does not answer.
    """
    from huggingface_hub import snapshot_download

    path = Path(source)
    if path.exists() or not _HUB_ID.fullmatch(str(source)):
        return path
    hub = find_on_hub(str(source))
    try:
        return Path(snapshot_download(hub.repo, repo_type="dataset", revision=hub.revision))
    except Exception as error:  # as above
        raise HubUnreachable(f"{hub.repo} cannot be had from the Hub ({_shorten(error)}).") from error


def download(hub: HubFiles, file: str) -> Path:
    """One file of a dataset, from the local cache where it is there. Raises HubUnreachable."""
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(hub.repo, file, repo_type="dataset", revision=hub.revision))
    except Exception as error:  # as above
        raise HubUnreachable(f"{file} of {hub.repo} cannot be had from the Hub ({_shorten(error)}).") from error


def _find_in_cache(repo: str) -> HubFiles | None:
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repos = [found for found in scan_cache_dir().repos if found.repo_id == repo and found.repo_type == "dataset"]
    except CacheNotFound:
        return None
    revisions = [revision for found in repos for revision in found.revisions]
    if not revisions:
        return None
    newest = max(revisions, key=lambda revision: revision.last_modified)
    files = {str(file.file_path.relative_to(newest.snapshot_path)) for file in newest.files}
    return HubFiles(repo, newest.commit_hash, tuple(sorted(files)))


def _shorten(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else text[:157] + "..."
