"""What leaves the house as tables: the workbook and the GeoPackage."""

from .gpkg import write_gpkg as write_gpkg
from .money_sheets import halt_told as halt_told
from .workbook import write_report as write_report
