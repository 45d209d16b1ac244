# Moves the password of DATABASE_ADMIN_URL into PGPASSWORD, because every user of the machine can read the arguments of a process but not
# its environment. Sets `database` to the address without the password. Sourced by ops/backup and ops/restore.
database=$DATABASE_ADMIN_URL
if [[ $database =~ ^(postgres(ql)?://[^/@:?]*):([^/@?]*)@(.*)$ ]]; then
    database=${BASH_REMATCH[1]}@${BASH_REMATCH[4]}
    password=${BASH_REMATCH[3]}
    # The password is percent-encoded in the address and plain in the environment.
    [[ $password == *\\* ]] && { echo "write a backslash in the password as %5C" >&2; exit 1; }
    printf -v PGPASSWORD '%b' "${password//%/\\x}"
    export PGPASSWORD
    unset password
fi
if [[ $database == *password=* || $database =~ ://[^@]*:[^@]*@ ]]; then
    echo "write the password as postgres://user:password@host/database, with signs in it percent-encoded" >&2
    exit 1
fi
