"""A study in one file: what to read, what to measure, which rules the plan keeps, and where it all goes."""

from .pipeline import Outcome as Outcome
from .pipeline import run_study as run_study
from .pipeline import summary as summary
from .reference import describe_study as describe_study
from .samples import sample_folder as sample_folder
from .samples import write_template as write_template
from .settings import Settings as Settings
from .settings import read_study as read_study
