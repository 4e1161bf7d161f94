"""The upstream of all: nginx with the answers as files where it is installed, else our store."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.bodies import Workload
from benchmarks.processes import free_port, started

_CONF: Final = """
daemon off; master_process off; pid {folder}/pid; error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off; default_type application/json; sendfile on; tcp_nopush on;
  keepalive_requests 1000000000; keepalive_timeout 600s; open_file_cache max=100;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port} backlog=1024; root {folder};
{locations}
  }}
}}
"""


def name() -> str:
    """Say what answers."""
    return "nginx" if shutil.which("nginx") else "benchmarks.store"


@contextmanager
def upstream(folder: Path, workloads: Sequence[Workload], chosen: frozenset[int]) -> Iterator[int]:
    """Serve each workload's answer at its path, on these cores; gives the port."""
    port = free_port()
    folder.mkdir()
    for workload in workloads:
        (folder / f"{workload.resource}.json").write_bytes(workload.body)
    if name() == "nginx":
        locations = "\n".join(
            f"    location = {each.path} {{ try_files /{each.resource}.json =404; }}"
            for each in workloads
        )
        conf = folder / "nginx.conf"
        conf.write_text(_CONF.format(folder=folder, port=port, locations=locations), "utf-8")
        command: list[str | Path] = ["nginx", "-e", "stderr", "-c", conf, "-p", folder]
    else:
        table = {each.path: (str(folder / f"{each.resource}.json"), 1) for each in workloads}
        command = [sys.executable, "-m", "benchmarks.store", str(port), json.dumps(table)]
    with started(command, chosen, folder / "log", port=port):
        yield port


def nginx_version() -> str | None:
    """Give the version of nginx, where there is one."""
    if not shutil.which("nginx"):
        return None
    said = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr
    return said.strip().rpartition("/")[2]
