# SPDX-License-Identifier: Apache-2.0
"""The command `benison`: registers its subcommands, and turns signals and crashes into exit codes."""

from __future__ import annotations

import gc
import traceback
from typing import Annotated

import typer

import benison
from benison import signals, terminal
from benison.cli.exit_codes import CRASHED, NOT_BLESSED, WRONG
from benison.cli.late_commands import Late, LateCommands
from benison.terminal.pipes import outlive_readers, why_unwritten

_WRONG = "2 wrong usage, config or data; 3 a fault of Benison's own; 75 a store or service is away."
_DONE = f"Exit code: 0 done; {_WRONG}"
_GATE = f"Exit code: 0 blessed; 1 not blessed; {_WRONG}"
_DRIFT = f"Exit code: 0 no drift, or no --gate; 1 drift under --gate; {_WRONG}"
_MONITOR = f"Exit code: 0 no alert, or no --gate; 1 an alert under --gate; {_WRONG}"

_COMMANDS = {
    "init": Late("init", "init", _DONE, "INIT_HELP"),
    "evaluate": Late("evaluate", "evaluate", None, "EVALUATE_HELP"),
    "gate": Late("evaluate", "gate", _GATE),
    "show": Late("show", "show", _DONE, "SHOW_HELP"),
    "compare": Late("explain", "compare", _DONE, "COMPARE_HELP"),
    "explain": Late("explain", "explain", _DONE, "EXPLAIN_HELP"),
    "checks": Late("explain", "checks", _DONE, "CHECKS_HELP"),
    "report": Late("show", "report", _DONE, "REPORT_HELP"),
    "publish": Late("publish", "publish", _DONE, "PUBLISH_HELP"),
    "promote": Late("promote", "promote", _DONE, "PROMOTE_HELP"),
    "check-config": Late("evaluate", "check", _DONE),
    "convert": Late("convert", "convert", _DONE, "CONVERT_HELP"),
    "metrics": Late("catalogue", "metrics", _DONE, "METRICS_HELP"),
    "drift": Late("drift", "drift", _DRIFT, "DRIFT_HELP"),
    "profile": Late("drift", "profile_data", _DONE, "PROFILE_HELP"),
    "estimate": Late("estimating", "estimating", _DONE, "ESTIMATE_HELP"),
    "monitor": Late("monitor", "monitor", _MONITOR, "MONITOR_HELP"),
    "power": Late("planning", "power", _DONE, "POWER_HELP"),
    "schema": Late("evaluate", "schema", _DONE),
    "verify": Late("evaluate", "verify"),
    "blessings": Late("lineage", "blessings", _DONE),
    "lineage": Late("lineage", "lineage", _DONE),
    "bless": Late("lineage", "bless", _DONE),
    "revoke": Late("lineage", "revoke", _DONE),
    "record": Late("lineage", "record", _DONE),
}


class _Commands(LateCommands):
    late = _COMMANDS


app = typer.Typer(
    name="benison",
    cls=_Commands,
    help="The step between trained and served: every metric on every slice, and a blessing that says why.",
    epilog=f"Exit code: 0 blessed, or no gate; 1 not blessed, under a gate; {_WRONG} Machine output "
    "(--json) is on standard output, progress and errors on standard error. NO_COLOR=1 leaves colours out.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(f"benison {benison.__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command."""
    terminal.own_the_log()
    outlive_readers()
    code = CRASHED
    try:
        app()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else CRASHED if end.code else 0
    except Exception:  # Python's own exit code would be 1, which means "not blessed"
        if signals.was_stopped() is None:
            traceback.print_exc()
    code = signals.was_stopped() or _of_output(code)
    signals.finish(code)
    # Python would look through all objects several times before it ends: a sixth of a short command.
    gc.freeze()
    raise SystemExit(code)


def _of_output(code: int) -> int:
    """The exit code, which is another one where what was printed is lost, as on a full disk."""
    reason = why_unwritten()
    if reason is None:
        return code
    typer.echo(f"error: Standard output cannot be written: {reason}.", err=True)
    return WRONG if code in (0, NOT_BLESSED) else code
