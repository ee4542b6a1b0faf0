# Six Redis nodes in one container, joined to a cluster of three masters with a replica each; ends when a node ends.
set -eu
trap 'exit 1' TERM
last=$((FIRST_PORT + 5))
nodes=
for port in $(seq "$FIRST_PORT" "$last"); do
    mkdir -p "/tmp/$port"
    (redis-server --port "$port" --bind 127.0.0.1 --dir "/tmp/$port" --appendonly yes --save "" \
        --requirepass agentkeep --masterauth agentkeep --cluster-enabled yes; kill $$) &
    nodes="$nodes 127.0.0.1:$port"
done
export REDISCLI_AUTH=agentkeep
for port in $(seq "$FIRST_PORT" "$last"); do
    until redis-cli -p "$port" ping >/dev/null 2>&1; do sleep 0.2; done
done
redis-cli --cluster create $nodes --cluster-replicas 1 --cluster-yes
wait
