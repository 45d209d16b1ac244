# Reads the password out of DATABASE_ADMIN_URL into PGPASSWORD: the arguments of a process are there for every user of the
# machine to read, its environment is not. Sets `database` to the address without it. Sourced by ops/backup and ops/restore.
database=$DATABASE_ADMIN_URL
if [[ $database =~ ^(postgres(ql)?://[^/@:?]*):([^/@?]*)@(.*)$ ]]; then
    database=${BASH_REMATCH[1]}@${BASH_REMATCH[4]}
    password=${BASH_REMATCH[3]}
    # Percent-encoded in an address, and plain in the environment.
    [[ $password == *\\* ]] && { echo "write a backslash in the password as %5C" >&2; exit 1; }
    printf -v PGPASSWORD '%b' "${password//%/\\x}"
    export PGPASSWORD
    unset password
fi
if [[ $database == *password=* || $database =~ ://[^@]*:[^@]*@ ]]; then
    echo "write the password as postgres://user:password@host/database, with signs in it percent-encoded" >&2
    exit 1
fi
