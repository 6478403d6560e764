"""TLS, client certificates and tokens: who is served, and what a user learns who is not."""

from __future__ import annotations

from waders_remote.certificates import Certificates, token
from waders_remote.grid import SecureGrid
from waders_remote.processes import check
from waders_remote.scenario import OTHER_USER, Scenario
from waders_remote.table import traffic

GOAL = "lint"


def secure(scenario: Scenario, grid: SecureGrid, certificates: Certificates) -> None:
    """Results are shared with the right credentials. With a wrong one, a run has one warning and works locally."""
    valid = token(3600)

    def options(**changed: str | None) -> list[str]:
        values: dict[str, str | None] = {
            "store-address": f"grpcs://localhost:{grid.port}",
            "instance-name": "main",
            "ca-certs-path": str(certificates.path("ca.pem")),
            "oauth-bearer-token": valid,
            "client-certs-path": None,
            "client-key-path": None,
        }
        values.update({name.replace("_", "-"): value for name, value in changed.items()})
        flags = [f"--remote-{name}={value}" for name, value in values.items() if value is not None]
        return [*flags, "--remote-cache-read", "--remote-cache-write"]

    mutual = f"grpcs://localhost:{grid.mutual_port}"
    files = {"client_certs_path": "client.pem", "client_key_path": "client.key"}
    client = {name: str(certificates.path(file)) for name, file in files.items()}
    writer = scenario.machine("writer")
    wrote = writer.run(GOAL, options())
    check(not wrote.warnings and wrote.stored > 0, f"{wrote.warnings}, {wrote.stored} results stored")
    reader = scenario.machine("reader", OTHER_USER)
    read = reader.run(GOAL, options(store_address=mutual, **client))
    check(not read.warnings and not read.executed, f"{read.warnings}, executed: {read.executed}")
    scenario.check_same(reader, [wrote, read])
    figures = f"{read.cached_remotely} results used, {traffic([wrote, read])}"
    scenario.report("token over TLS, client certificate", figures)

    plain = f"grpc://localhost:{grid.port}"
    hint = "remote_oauth_bearer_token"
    wrong: dict[str, tuple[list[str], str]] = {
        "no token": (options(oauth_bearer_token=None), hint),
        "an expired token": (options(oauth_bearer_token=token(-3600)), hint),
        "a token of a stranger": (options(oauth_bearer_token=token(3600, "another secret")), hint),
        "another instance": (options(instance_name="other"), "remote_instance_name"),
        "another authority": (options(ca_certs_path=str(certificates.path("other.pem"))), "remote_ca_certs_path"),
        "no TLS": (options(store_address=plain), "grpcs://"),
        "no client certificate": (options(store_address=mutual), "remote_client_certs_path"),
    }
    machine = scenario.machine("stranger")
    for what, (flags, hint) in wrong.items():
        machine.edit()
        run = machine.run(GOAL, flags)
        check(len(run.warnings) == 1, f"{what}: {run.warnings}\n{run.output}")
        check("localhost:" in run.warnings[0] and hint in run.output, f"{what}: {run.output}")
        check(valid not in run.output, f"{what}: the token is shown")
        check(run.stored == 0 and run.cached_remotely == 0 and bool(run.executed), f"{what}: {run.output}")
    scenario.report("wrong credentials: one warning with a hint, local work goes on", ", ".join(wrong))
