"""What the peers are told: nginx's and Envoy's configurations, with the same Lua in both."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from benchmarks.bodies import Workload
from benchmarks.load import HOST

FOLDER: Final = Path(__file__).parent
# Debian's; the second needs the first.
LUA_MODULES: Final = tuple(
    Path("/usr/lib/nginx/modules", name)
    for name in ("ndk_http_module.so", "ngx_http_lua_module.so")
)


class Where(Protocol):
    """Before what a peer runs, and what it is asked for."""

    @property
    def upstream_port(self) -> int:
        """The upstream's."""

    @property
    def workloads(self) -> Sequence[Workload]:
        """All that are asked for."""


_NGINX: Final = """
daemon off; master_process off; pid {folder}/pid; error_log stderr error;
{modules}
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  proxy_http_version 1.1; proxy_set_header Connection "";
  proxy_buffer_size 32k; proxy_buffers 8 32k; proxy_max_temp_file_size 0;
  upstream store {{ server {host}:{upstream}; keepalive 64; keepalive_requests 1000000000; }}
{lua}
  server {{
    listen {host}:{port} backlog=1024;
    location / {{
      proxy_pass http://store;
{filter}
    }}
  }}
}}
"""

# The answer is taken whole, then given: its pieces are kept until the last one.
_FILTER: Final = """
      header_filter_by_lua_block { ngx.header.content_length = nil }
      body_filter_by_lua_block {
        local ctx = ngx.ctx
        local pieces = ctx.pieces
        if not pieces then pieces = {}; ctx.pieces = pieces end
        pieces[#pieces + 1] = ngx.arg[1]
        if not ngx.arg[2] then ngx.arg[1] = nil; return end
        ngx.arg[1] = bench.filter(ngx.var.uri, table.concat(pieces))
      }
"""

_CJSON: Final = """
local cjson = require "cjson.safe"
bench = {
  filter = function(path, body)
    local spec = SPECS[path]
    return cjson.encode(pick(cjson.decode(body), spec[1], spec[2]))
  end
}
"""

# Envoy gives a body to Lua as a copy, and takes a copy of what it becomes.
_ENVOY: Final = """
local function filter(path, body)
  local spec = SPECS[path]
  return encode(pick(decode(body), spec[1], spec[2]))
end

function envoy_on_request(handle)
  handle:streamInfo():dynamicMetadata():set("bench", "path", handle:headers():get(":path"))
end

function envoy_on_response(handle)
  local path = handle:streamInfo():dynamicMetadata():get("bench")["path"]
  local body = handle:body()
  body:setBytes(filter(path, body:getBytes(0, body:length())))
end
"""


def nginx_conf(folder: Path, port: int, where: Where, *, lua: bool) -> str:
    """Give nginx's; `lua`: it filters, else it passes."""
    setup = ""
    if lua:
        setup = f"init_by_lua_block {{\n{_pick(where)}{_CJSON}}}"
    return _NGINX.format(
        folder=folder,
        modules="\n".join(f"load_module {each};" for each in LUA_MODULES) if lua else "",
        host=HOST,
        upstream=where.upstream_port,
        port=port,
        lua=setup,
        filter=_FILTER if lua else "",
    )


def envoy_conf(port: int, where: Where) -> dict[str, Any]:
    """Give Envoy's, as JSON."""
    code = f"{(FOLDER / 'json.lua').read_text('utf-8')}{_pick(where)}{_ENVOY}"
    types = "type.googleapis.com/envoy.extensions"
    router = {"@type": f"{types}.filters.http.router.v3.Router"}
    lua = {
        "@type": f"{types}.filters.http.lua.v3.Lua",
        "default_source_code": {"inline_string": code},
    }
    manager = {
        "@type": f"{types}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "generate_request_id": False,
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "store",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "store"}}],
                }
            ]
        },
        "http_filters": [
            {"name": "envoy.filters.http.lua", "typed_config": lua},
            {"name": "envoy.filters.http.router", "typed_config": router},
        ],
    }
    return {
        "static_resources": {
            "listeners": [
                {
                    "name": "bench",
                    "address": _address(port),
                    "filter_chains": [
                        {
                            "filters": [
                                {
                                    "name": "envoy.filters.network.http_connection_manager",
                                    "typed_config": manager,
                                }
                            ]
                        }
                    ],
                }
            ],
            "clusters": [
                {
                    "name": "store",
                    "type": "STATIC",
                    "load_assignment": {
                        "cluster_name": "store",
                        "endpoints": [
                            {
                                "lb_endpoints": [
                                    {"endpoint": {"address": _address(where.upstream_port)}}
                                ]
                            }
                        ],
                    },
                }
            ],
        }
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": HOST, "port_value": port}}


def _pick(where: Where) -> str:
    """Give the Lua that picks, and what of which path."""
    specs = "\n".join(
        f"  [{json.dumps(w.path)}] = {{ {{ {', '.join(map(json.dumps, w.covered))} }}, "
        f"{json.dumps(w.rows) if w.rows else 'nil'} }},"
        for w in where.workloads
    )
    return f"{(FOLDER / 'pick.lua').read_text('utf-8')}\nlocal SPECS = {{\n{specs}\n}}\n"
