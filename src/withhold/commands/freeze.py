"""Stop disclosures at once: all of them, or of one store, or under one instrument, or both together.

Nodes stop within a second, streams included. Through the running service (WITHHOLD_URL), or with
-c straight into the node's own folder, which works with database, Redis and control plane down:
it holds for the nodes that share that folder.

  withhold freeze
  withhold freeze --store synapse --instrument us-sca-subpoena
  withhold freeze -c config/withhold.toml
"""
