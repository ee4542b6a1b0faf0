# Makes the database that POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB ask for, and becomes the server: [postgres SETTING…]
set -eu
bin="$(echo /usr/lib/postgresql/*/bin)"
if [ ! -s /data/PG_VERSION ]; then
    printf '%s' "$POSTGRES_PASSWORD" >/tmp/password
    "$bin/initdb" -D /data -U "$POSTGRES_USER" --pwfile=/tmp/password -A scram-sha-256 -E UTF8 --locale=C.UTF-8 >/dev/null
    rm /tmp/password
    echo 'host all all all scram-sha-256' >>/data/pg_hba.conf
    echo "CREATE DATABASE \"$POSTGRES_DB\"" | "$bin/postgres" --single -D /data postgres >/dev/null
fi
if [ "${1:-}" = postgres ]; then
    shift
fi
exec "$bin/postgres" -D /data -c listen_addresses='*' "$@"
