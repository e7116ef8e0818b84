"""Files that come with the package: the invented province and the study to start from."""

from importlib.resources import files
from pathlib import Path

from ccm_geo.errors import SourceError
from ccm_geo.files import replace_atomically


def sample_folder() -> Path:
    """Find the invented province: inside the installed package, else beside the source.

    Raises
    ------
    SourceError
        If it is in neither place.

    Examples
    --------
    >>> sample_folder().name
    'sample_data'
    """
    package = Path(str(files("ccm_geo")))
    for folder in (package / "sample_data", package.parents[1] / "sample_data"):
        if (folder / "study.toml").is_file():
            return folder
    raise SourceError("the sample data are not here: install ccm_geo again, or run from its source folder")


def write_template(folder: Path, *, replace: bool = False) -> Path:
    """Write a commented ``study.toml`` to fill in.

    Parameters
    ----------
    folder
        Where; made if it is not there.
    replace
        Whether an old ``study.toml`` may be replaced.

    Raises
    ------
    SourceError
        If there is one already, or it cannot be written.
    """
    target = folder / "study.toml"
    if target.exists() and not replace:
        raise SourceError(f"{target} is there already; give another folder, or --force to replace it")
    text = files("ccm_geo.study").joinpath("template.toml").read_text(encoding="utf-8")
    with replace_atomically(target) as draft:
        draft.write_text(text, encoding="utf-8", newline="\n")
    return target
