# Writes the settings from UPSTREAM_HOST, UPSTREAM_PORT, UPSTREAM_USER, UPSTREAM_PASSWORD, LISTEN_ADDRESS and LISTEN_PORT, and
# becomes PgBouncer.
set -eu
printf '"%s" "%s"\n' "$UPSTREAM_USER" "$UPSTREAM_PASSWORD" >/tmp/users.txt
cat >/tmp/pgbouncer.ini <<SETTINGS
[databases]
* = host=$UPSTREAM_HOST port=${UPSTREAM_PORT:-5432}

[pgbouncer]
listen_addr = ${LISTEN_ADDRESS:-*}
listen_port = ${LISTEN_PORT:-6432}
unix_socket_dir =
pool_mode = transaction
auth_type = scram-sha-256
auth_file = /tmp/users.txt
max_client_conn = 500
default_pool_size = 20
SETTINGS
exec pgbouncer /tmp/pgbouncer.ini
