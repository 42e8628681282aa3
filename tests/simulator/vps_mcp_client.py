"""Drives a running simulator with the provider's own published clients.

    pip install vps-mcp vpsdotorg
    lastgood simulator --port 8080 --servers 45 --uuid --paged --completion 300ms --power 300ms
    python tests/simulator/vps_mcp_client.py http://127.0.0.1:8080/api/v1 vps_simulator

The simulator must be fresh and have at least 21 uuid servers in pages. `vps-mcp` is required; the checks with
`vpsdotorg` are left out where it is not installed. Ends with "N passed, 0 failed" and 0, or 1.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
import traceback

import httpx
from vps_mcp.client import VPSClient, format_generic, format_paginated, format_server

try:
    from vps_cli.client import APIError
    from vps_cli.client import VPSClient as CommandLineClient
except ImportError:
    CommandLineClient = None

PATIENCE_SECONDS = 30
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


class Bench:
    """What every check gets: the client, where it points, and the servers of the account."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url.rstrip("/"), token
        self.client = VPSClient(api_token=token, base_url=url)
        self.servers: list[dict] = []

    async def wait_for(self, what: str, look):
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            found = await look()
            if found:
                return found
            await asyncio.sleep(0.05)
        raise AssertionError(f"{what} did not come within {PATIENCE_SECONDS} s")

    async def points(self, path: str, server: dict) -> list[dict]:
        """All pages of a list, for one server."""
        found, page = [], 1
        while True:
            params = {"server_id": server["uuid"], "page": page, "page_size": 100}
            data = await self.client._get(path, params=params)
            assert isinstance(data, dict), data
            found += data["results"]
            if data["next"] is None:
                assert len(found) == data["count"], "count is the number of all matches"
                return [point for point in found if point["server"]["uuid"] == server["uuid"]]
            page += 1


@check
async def servers_come_in_pages(bench: Bench) -> None:
    first = await bench.client._get("/servers/", params={"page": 1, "page_size": 20})
    assert len(first["results"]) == 20 and first["count"] > 20, first
    assert first["previous"] is None and "page=2" in first["next"], first["next"]
    servers, page = first["results"], 1
    while len(servers) < first["count"]:
        page += 1
        data = await bench.client._get("/servers/", params={"page": page, "page_size": 20})
        assert "page" not in (data["previous"] or "") or f"page={page - 1}" in data["previous"] or page == 2
        servers += data["results"]
    assert data["next"] is None, data["next"]
    assert len({server["uuid"] for server in servers}) == first["count"]
    bench.servers = servers


@check
async def next_is_an_url_that_works(bench: Bench) -> None:
    first = await bench.client._get("/servers/")
    second = await bench.client._get(first["next"])
    assert isinstance(second, dict) and second["results"], second
    assert second["results"][0]["uuid"] not in {server["uuid"] for server in first["results"]}


@check
async def a_page_has_at_most_a_hundred_items_and_ends(bench: Bench) -> None:
    data = await bench.client._get("/servers/", params={"page": 1, "page_size": 1000})
    assert len(data["results"]) == min(100, data["count"]), len(data["results"])
    beyond = await bench.client._get("/servers/", params={"page": 999})
    assert beyond == "Error (404): Invalid page.", beyond


@check
async def a_list_of_servers_reads_as_the_client_shows_it(bench: Bench) -> None:
    text = format_paginated(await bench.client._get("/servers/"), format_server)
    for expected in ("Server: web-server-01", "UUID: ", "Status: active", "IPv4: ", "Location: ", "Plan: ", "OS: "):
        assert expected in text, f"{expected!r} is not in {text}"
    assert f"Page 1 of {-(-len(bench.servers) // 20)} ({len(bench.servers)} total)" in text, text[-80:]


@check
async def one_server_reads_as_the_client_shows_it(bench: Bench) -> None:
    server = await bench.client._get(f"/servers/{bench.servers[0]['uuid']}/")
    text = format_server(server)
    for expected in (f"UUID: {bench.servers[0]['uuid']}", "Location: Istanbul", "GB RAM", "OS: Debian"):
        assert expected in text, f"{expected!r} is not in {text}"


@check
async def a_server_that_is_not_there_is_404(bench: Bench) -> None:
    answer = await bench.client._get("/servers/00000000-0000-4000-8000-000000000000/")
    assert answer == "Error (404): Not found.", answer


@check
async def power_is_accepted_first_and_done_later(bench: Bench) -> None:
    path = f"/servers/{bench.servers[1]['uuid']}/"

    async def status() -> str:
        return (await bench.client._get(path))["status"]

    for action, passing, reached in (("stop", "stopping", "stopped"), ("start", "starting", "active")):
        answer = await bench.client._post(f"{path}power/", json={"action": action})
        assert isinstance(answer, dict), answer
        assert await status() in (passing, reached)

        async def there(reached=reached) -> bool:
            return await status() == reached

        await bench.wait_for(reached, there)
    await bench.client._post(f"{path}power/", json={"action": "hard_stop"})
    stopped = await bench.client._get("/servers/", params={"status": "stopped"})
    assert [server["uuid"] for server in stopped["results"]] == [bench.servers[1]["uuid"]], stopped
    assert isinstance(await bench.client._post(f"{path}power/", json={"action": "restart"}), dict)


@check
async def a_power_action_that_is_none_is_told_by_field(bench: Bench) -> None:
    path = f"/servers/{bench.servers[1]['uuid']}/power/"
    answer = await bench.client._post(path, json={"action": "explode"})
    assert answer == 'Error (400):\n  action: "explode" is not a valid choice.', answer


@check
async def a_backup_is_made_as_the_client_asks_and_completes(bench: Bench) -> None:
    server = bench.servers[2]
    made = await bench.client._post(f"/servers/{server['uuid']}/backup/")
    assert isinstance(made, dict) and made["status"] == "in_progress", made
    assert "message: " in format_generic(made)

    async def completed():
        points = await bench.points("/backups/", server)
        return [point for point in points if point["id"] == made["id"] and point["status"] == "completed"]

    (point,) = await bench.wait_for("the backup", completed)
    assert point["size_mb"] > 0 and point["backup_type"] == "manual" and point["expires_at"] is None, point


@check
async def a_snapshot_is_made_with_and_without_a_label(bench: Bench) -> None:
    server = bench.servers[2]
    path = f"/servers/{server['uuid']}/snapshot/"
    labelled = await bench.client._post(path, json={"label": "before-upgrade"})
    assert labelled["name"] == "before-upgrade" and labelled["status"] == "in_progress", labelled
    plain = await bench.client._post(path, json=None)
    assert isinstance(plain, dict) and plain["name"], plain
    assert {point["id"] for point in await bench.points("/snapshots/", server)} == {labelled["id"], plain["id"]}


@check
async def the_documented_paths_work_with_the_same_client(bench: Bench) -> None:
    server = bench.servers[3]
    body = {"server_id": server["uuid"], "description": "Pre-deployment backup"}
    backup = await bench.client._post("/backups/", json=body)
    assert backup["description"] == "Pre-deployment backup" and backup["server"]["uuid"] == server["uuid"], backup
    body = {"server_id": server["uuid"], "name": "pre-migration-snapshot"}
    snapshot = await bench.client._post("/snapshots/", json=body)
    assert snapshot["name"] == "pre-migration-snapshot", snapshot
    for path in (f"/backups/{backup['id']}/", f"/snapshots/{snapshot['id']}/"):
        assert await bench.client._delete(path) == {"detail": "Success (no content)"}
        assert await bench.client._delete(path) == "Error (404): Not found."


@check
async def a_missing_field_is_told_by_name(bench: Bench) -> None:
    answer = await bench.client._post("/backups/", json={})
    assert answer == "Error (400):\n  server_id: This field is required.", answer


@check
async def the_limits_are_ten_backups_and_five_snapshots(bench: Bench) -> None:
    server = bench.servers[4]
    for what, limit in (("backup", 10), ("snapshot", 5)):
        path = f"/servers/{server['uuid']}/{what}/"
        for number in range(limit):
            answer = await bench.client._post(path)
            assert isinstance(answer, dict), f"{what} {number + 1}: {answer}"
        answer = await bench.client._post(path)
        assert isinstance(answer, str) and answer.startswith("Error (400): "), answer
        assert "limit reached" in answer, answer
        assert len(await bench.points(f"/{what}s/", server)) == limit


@check
async def a_restore_passes_through_restoring(bench: Bench) -> None:
    server = bench.servers[2]
    (backup,) = await bench.points("/backups/", server)
    answer = await bench.client._post(f"/servers/{server['uuid']}/restore/", json={"backup_id": backup["id"]})
    assert isinstance(answer, dict) and answer["server"]["status"] == "restoring", answer

    async def active() -> bool:
        return (await bench.client._get(f"/servers/{server['uuid']}/"))["status"] == "active"

    await bench.wait_for("the server", active)


@check
async def an_account_says_what_its_token_may_do(bench: Bench) -> None:
    answer = await bench.client._get("/account/me/")
    assert "@" in answer["account"]["email"] and answer["token"]["permissions"], answer


@check
async def a_wrong_token_is_refused(bench: Bench) -> None:
    stranger = VPSClient(api_token="nothing", base_url=bench.url)
    answer = await stranger._get("/servers/")
    await stranger.close()
    assert answer == "Error (401): Invalid token.", answer


@check
async def faults_reach_the_client_as_it_knows_them(bench: Bench) -> None:
    control = f"{bench.url.removesuffix('/api/v1')}/_control/faults"
    expected = {
        '{"do": "reset"}': "Error: HTTP request failed",
        '{"do": "status", "code": 502}': "Error (502): <html>",
        '{"do": "status", "code": 429, "retry_after": {"seconds": 1}}': "Error (429): Request was throttled.",
        '{"do": "broken_body"}': "Error: HTTP request failed",
    }
    async with httpx.AsyncClient() as person:
        for effect, text in expected.items():
            rule = f'{{"call": "servers", "times": 1, "effect": {effect}}}'
            headers = {"Content-Type": "application/json"}
            answer = await person.post(control, content=rule, headers=headers)
            assert answer.status_code == 201, answer.text
            seen = await bench.client._get("/servers/")
            assert isinstance(seen, str) and seen.startswith(text), f"{effect}: {seen}"
        assert (await person.delete(control)).status_code == 204
    assert isinstance(await bench.client._get("/servers/"), dict)


@check
async def the_command_line_client_finds_the_servers_too(bench: Bench) -> None:
    if CommandLineClient is None:
        print("     (vpsdotorg is not installed)")
        return
    client = CommandLineClient(bench.token, bench.url.removesuffix("/api/v1"))
    servers = await asyncio.to_thread(client.list_servers)
    first = servers["results"][0]
    assert servers["count"] == len(bench.servers) and first["hostname"] and first["ip_address"], first
    one = await asyncio.to_thread(client.get_server, first["uuid"])
    assert one["uuid"] == first["uuid"], one
    try:
        await asyncio.to_thread(client.get_server, "nobody")
    except APIError as error:
        assert (error.status_code, error.detail) == (404, {"detail": "Not found."}), error
    else:
        raise AssertionError("a server that is not there was found")


async def main(url: str, token: str) -> int:
    logging.getLogger("vps-mcp").setLevel(logging.WARNING)
    bench = Bench(url, token)
    failed = 0
    for function in CHECKS:
        name = function.__name__.replace("_", " ")
        try:
            await function(bench)
            print(f"ok   {name}")
        except Exception:
            failed += 1
            print(f"FAIL {name}")
            traceback.print_exc()
    await bench.client.close()
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: vps_mcp_client.py URL TOKEN")
    sys.exit(asyncio.run(main(sys.argv[1], sys.argv[2])))
