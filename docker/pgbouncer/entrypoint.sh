# Writes the settings from UPSTREAM_HOST, UPSTREAM_USER and UPSTREAM_PASSWORD, and becomes PgBouncer.
set -eu
printf '"%s" "%s"\n' "$UPSTREAM_USER" "$UPSTREAM_PASSWORD" >/tmp/users.txt
cat >/tmp/pgbouncer.ini <<SETTINGS
[databases]
* = host=$UPSTREAM_HOST port=5432

[pgbouncer]
listen_addr = *
listen_port = 6432
unix_socket_dir =
pool_mode = transaction
auth_type = scram-sha-256
auth_file = /tmp/users.txt
max_client_conn = 500
default_pool_size = 20
SETTINGS
exec pgbouncer /tmp/pgbouncer.ini
