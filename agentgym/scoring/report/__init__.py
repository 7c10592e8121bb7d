"""What scored runs come to, in numbers with intervals.

run     as much of a trajectory as is needed     rate    shares and their intervals
report  the numbers
stats   what a suite has                         comparison  verdicts of two scorings
"""

from agentgym.scoring.report.comparison import Comparison, compare
from agentgym.scoring.report.report import Report, Summary, report
from agentgym.scoring.report.run import ScoredRun
from agentgym.scoring.report.stats import Stats, stats

__all__ = ["Comparison", "Report", "ScoredRun", "Stats", "Summary", "compare", "report", "stats"]
