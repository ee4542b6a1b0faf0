# Makes the database that POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB ask for, and becomes the server.
set -eu
bin=/usr/lib/postgresql/15/bin
if [ ! -s /data/PG_VERSION ]; then
    printf '%s' "$POSTGRES_PASSWORD" >/tmp/password
    "$bin/initdb" -D /data -U "$POSTGRES_USER" --pwfile=/tmp/password -A scram-sha-256 -E UTF8 --locale=C.UTF-8 >/dev/null
    rm /tmp/password
    echo 'host all all all scram-sha-256' >>/data/pg_hba.conf
    echo "CREATE DATABASE \"$POSTGRES_DB\"" | "$bin/postgres" --single -D /data postgres >/dev/null
fi
exec "$bin/postgres" -D /data -c listen_addresses='*' -c max_connections=300 "$@"
