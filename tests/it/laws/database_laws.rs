//! The laws that Postgres enforces, checked in its catalogue and by statements that must fail (T2, T4, A3).

use countersign::tenancy::{Role, Scope, Tx};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use crate::support::{TestApp, database};

/// Tables that do not belong to a tenant.
const GLOBAL: &str = "'_sqlx_migrations'";
/// Tables whose rows the service never changes or removes.
const APPEND_ONLY: &str = "'money_movements', 'order_balances', 'tool_calls', 'decisions', 'audit', 'budget_ledger'";

async fn rows(connection: &mut PgConnection, query: String) -> Vec<String> {
    let rows = sqlx::query(AssertSqlSafe(query))
        .fetch_all(connection)
        .await
        .expect("runs");
    rows.iter().map(|row| row.get::<String, _>(0)).collect()
}

#[tokio::test]
async fn every_table_now_or_later_keeps_the_laws() {
    let name = database::create().await;
    let mut db = PgConnection::connect_with(&database::postgres().await.admin(&name))
        .await
        .expect("connects");
    let tables = format!(
        "FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname NOT IN ({GLOBAL})"
    );
    assert!(
        rows(&mut db, format!("SELECT relname::text {tables}")).await.len() >= 15,
        "the catalogue is read"
    );
    for (law, breakers) in [
        ("row-level security is enabled and forced", format!("SELECT relname::text {tables} AND NOT (relrowsecurity AND relforcerowsecurity)")),
        (
            "the primary key begins with tenant_id",
            format!("SELECT relname::text {tables} AND NOT EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
                WHERE i.indrelid = c.oid AND i.indisprimary AND a.attname = 'tenant_id')"),
        ),
        (
            "every unique index begins with tenant_id, but for the store's short name",
            format!("SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
                WHERE c.relnamespace = 'public'::regnamespace AND c.relname NOT IN ({GLOBAL}) AND i.indisunique AND a.attname <> 'tenant_id'
                AND i.indexrelid::regclass::text <> 'tenants_slug_key'"),
        ),
        (
            "every foreign key carries tenant_id",
            "SELECT conname::text FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
             WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND a.attname <> 'tenant_id'".into(),
        ),
        (
            "a restrictive policy binds the tenant for every role",
            format!("SELECT relname::text {tables} AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND NOT p.polpermissive AND p.polcmd = '*' AND p.polroles = '{{0}}'
                AND pg_get_expr(p.polqual, c.oid) IN ('(tenant_id = app_tenant())',
                    CASE relname WHEN 'tenants' THEN '((tenant_id = app_tenant()) OR (CURRENT_USER = ''countersign_executor''::name))'
                        WHEN 'origins' THEN '((tenant_id = app_tenant()) OR (CURRENT_USER = ''countersign_web''::name))' END)
                AND pg_get_expr(p.polwithcheck, c.oid) = '(tenant_id = app_tenant())')"),
        ),
        (
            "rows of a shopper are the reader's only while that shopper is bound",
            format!("SELECT relname::text {tables} AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'shopper_id')
                AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polroles = ARRAY['countersign_reader'::regrole::oid]
                    AND pg_get_expr(p.polqual, c.oid) = '(shopper_id = app_shopper())')"),
        ),
        (
            "only an order, its lines and its parcels can be seen by who has proved the order",
            "SELECT polrelid::regclass::text FROM pg_policy WHERE polname = 'proved' AND (polcmd <> 'r' OR polroles <> ARRAY['countersign_reader'::regrole::oid]
                OR polrelid::regclass::text NOT IN ('orders', 'order_lines', 'shipments'))".into(),
        ),
        (
            "nothing is granted to everybody",
            "SELECT table_name::text FROM information_schema.role_table_grants WHERE grantee = 'PUBLIC' AND table_schema = 'public'".into(),
        ),
        (
            "the reader may only select",
            "SELECT table_name::text FROM information_schema.column_privileges WHERE grantee = 'countersign_reader' AND privilege_type <> 'SELECT'
             UNION SELECT table_name FROM information_schema.role_table_grants WHERE grantee = 'countersign_reader' AND privilege_type <> 'SELECT'".into(),
        ),
        (
            "append-only tables are appended to only",
            format!("SELECT grantee || ' ' || privilege_type || ' ' || table_name FROM information_schema.role_table_grants
                WHERE table_name IN ({APPEND_ONLY}) AND grantee <> 'countersign_owner' AND grantee LIKE 'countersign%' AND privilege_type NOT IN ('SELECT', 'INSERT')
                    -- A shopper deletes a conversation whole; the law after this one says by whose hand.
                    AND (grantee, privilege_type, table_name) NOT IN (('countersign_web', 'DELETE', 'tool_calls'), ('countersign_executor', 'DELETE', 'tool_calls'))
                UNION SELECT grantee || ' ' || privilege_type || ' ' || table_name FROM information_schema.column_privileges
                WHERE table_name IN ({APPEND_ONLY}) AND grantee <> 'countersign_owner' AND grantee LIKE 'countersign%' AND privilege_type NOT IN ('SELECT', 'INSERT')
                    -- Erasure and retention blank what a call said, and nothing else of it.
                    AND (grantee, table_name, column_name) <> ('countersign_executor', 'tool_calls', 'arguments')"),
        ),
        (
            "a conversation is deleted by the hand of its shopper alone",
            format!("SELECT relname::text {tables} AND relname IN ('conversations', 'turns', 'messages', 'tool_calls')
                AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND NOT p.polpermissive AND p.polcmd = 'd'
                    AND p.polroles = ARRAY['countersign_web'::regrole::oid] AND pg_get_expr(p.polqual, c.oid) = '(shopper_id = app_shopper())')"),
        ),
        (
            "the executor deletes guests alone, and what guests said",
            format!("SELECT relname::text {tables} AND relname IN ('shoppers', 'conversations', 'turns', 'messages', 'tool_calls')
                AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND NOT p.polpermissive AND p.polcmd = 'd'
                    AND p.polroles = ARRAY['countersign_executor'::regrole::oid] AND pg_get_expr(p.polqual, c.oid) LIKE '%guest%')"),
        ),
        (
            "the web role writes no order and no money",
            "SELECT privilege_type || ' ' || table_name FROM information_schema.column_privileges WHERE grantee = 'countersign_web' AND privilege_type <> 'SELECT'
             AND table_name IN ('orders', 'order_lines', 'shipments', 'money_movements', 'order_balances', 'payment_methods', 'products', 'variants')".into(),
        ),
        (
            // Their owner is bound by row-level security too, and only the roles in the grant matrix may call them.
            "a function that lends its owner's rights has a fixed search path, and not everybody may call it",
            "SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef
                AND (proowner <> 'countersign_owner'::regrole OR NOT 'search_path=public, pg_temp' = ANY (coalesce(proconfig, '{}'))
                    OR proacl IS NULL OR EXISTS (SELECT FROM aclexplode(proacl) WHERE grantee = 0))".into(),
        ),
        (
            "no role can pass row-level security by, make roles, or become another",
            "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'countersign%' AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb)
             UNION SELECT member::regrole::text FROM pg_auth_members WHERE member::regrole::text LIKE 'countersign%'".into(),
        ),
        (
            "the owner cannot log in and owns everything",
            format!("SELECT rolname::text FROM pg_roles WHERE rolname = 'countersign_owner' AND rolcanlogin
                UNION SELECT relname::text {tables} AND relowner <> 'countersign_owner'::regrole"),
        ),
    ] {
        assert_eq!(rows(&mut db, breakers).await, [""; 0], "broken: {law}");
    }
}

/// The whole grant matrix: a change of any grant must change this file too.
#[tokio::test]
async fn the_grant_matrix_is_this_one() {
    let name = database::create().await;
    let mut db = PgConnection::connect_with(&database::postgres().await.admin(&name))
        .await
        .expect("connects");
    let matrix = rows(
        &mut db,
        "SELECT format('%-18s %-9s %s', table_name, replace(grantee, 'countersign_', ''), string_agg(grants, ', ' ORDER BY grants)) FROM (
            SELECT table_name, grantee, privilege_type AS grants FROM information_schema.role_table_grants WHERE table_schema = 'public'
            UNION ALL
            SELECT table_name, grantee, privilege_type || ' (' || string_agg(column_name, ', ' ORDER BY column_name) || ')'
            FROM information_schema.column_privileges c WHERE table_schema = 'public' AND NOT EXISTS (
                SELECT FROM information_schema.role_table_grants g WHERE (g.table_schema, g.table_name, g.grantee, g.privilege_type) = (c.table_schema, c.table_name, c.grantee, c.privilege_type))
            GROUP BY table_name, grantee, privilege_type
            UNION ALL
            SELECT p.proname::text, a.grantee::regrole::text, 'EXECUTE' FROM pg_proc p, aclexplode(p.proacl) a WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef) g
         WHERE grantee IN ('countersign_reader', 'countersign_web', 'countersign_executor') GROUP BY table_name, grantee ORDER BY table_name, grantee"
            .into(),
    )
    .await;
    insta::assert_snapshot!("grant_matrix", matrix.join("\n"));
}

/// The error code with which Postgres refuses a statement. Empty when it accepts it.
async fn refusal<R: Role>(tx: Result<Tx<R>, sqlx::Error>, statement: &str) -> String {
    let mut tx = tx.expect("begins");
    match sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(&mut *tx)
        .await
    {
        Ok(_) => String::new(),
        Err(error) => error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .unwrap_or_default()
            .into_owned(),
    }
}

const DENIED: &str = "42501";
const READ_ONLY: &str = "25006";

#[tokio::test]
async fn each_pool_is_refused_what_its_role_must_not() {
    let app = TestApp::offline().await;
    let tenant = Scope::tenant(app.store.tenant.id);
    let other = app.other_store.tenant.id;
    for (statement, code) in [
        ("UPDATE orders SET status = 'cancelled'", READ_ONLY),
        ("INSERT INTO shoppers SELECT * FROM shoppers", READ_ONLY),
        ("SELECT hash FROM passwords", DENIED),
        ("SELECT token_hash FROM sessions", DENIED),
        ("SELECT * FROM messages", DENIED),
        ("CREATE TABLE mine ()", READ_ONLY),
        ("SET ROLE countersign_web", DENIED),
        ("SET ROLE countersign_owner", DENIED),
        ("SELECT pg_read_file('/etc/passwd')", DENIED),
        ("COPY orders TO PROGRAM 'cat'", DENIED),
    ] {
        assert_eq!(
            refusal(app.pools.reader.begin(tenant).await, statement).await,
            code,
            "reader: {statement}"
        );
    }
    for statement in [
        "UPDATE orders SET status = 'cancelled'",
        "UPDATE payment_methods SET balance_minor = 100000",
        "INSERT INTO money_movements SELECT * FROM money_movements",
        "UPDATE order_balances SET paid_out = 0",
        "SELECT confirm_money(gen_random_uuid(), NULL, now())",
        "DELETE FROM orders",
        "DELETE FROM decisions",
        "UPDATE messages SET body = ''",
        "UPDATE tool_calls SET outcome = 'answered'",
        "UPDATE tenants SET name = ''",
        "UPDATE variants SET price_minor = 0",
        "ALTER TABLE orders DISABLE ROW LEVEL SECURITY",
        "DROP POLICY tenant ON orders",
        "SET ROLE countersign_executor",
        "TRUNCATE orders",
        "CREATE TABLE mine ()",
    ] {
        assert_eq!(
            refusal(app.pools.web.begin(tenant).await, statement).await,
            DENIED,
            "web: {statement}"
        );
    }
    for statement in [
        "UPDATE money_movements SET amount_minor = 1".to_owned(),
        "UPDATE money_movements SET state = 'confirmed'".to_owned(),
        "INSERT INTO money_movements SELECT * FROM money_movements".to_owned(),
        "DELETE FROM money_movements".to_owned(),
        "UPDATE order_balances SET paid_in = 1000000".to_owned(),
        "DELETE FROM orders".to_owned(),
        "SELECT token_hash FROM sessions".to_owned(),
        "SELECT token_hash FROM staff_sessions".to_owned(),
        "SELECT token_hash FROM api_keys".to_owned(),
        "SELECT details FROM codes".to_owned(),
        "SET ROLE countersign_owner".to_owned(),
        // A row of another tenant than the bound one.
        format!(
            "INSERT INTO products (tenant_id, id, external_id, name) VALUES ('{other}', gen_random_uuid(), 'x', 'x')"
        ),
        format!("UPDATE products SET tenant_id = '{other}'"),
    ] {
        assert_eq!(
            refusal(app.pools.executor.begin(tenant).await, &statement).await,
            DENIED,
            "executor: {statement}"
        );
    }
    // The grants hold in a transaction that is not READ ONLY too.
    let mut reader = PgConnection::connect_with(
        &database::postgres()
            .await
            .address(&app.database)
            .username("countersign_reader"),
    )
    .await
    .expect("connects");
    let refused = sqlx::raw_sql("UPDATE orders SET status = 'cancelled'")
        .execute(&mut reader)
        .await
        .expect_err("refused");
    assert_eq!(
        refused
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .as_deref(),
        Some(DENIED)
    );
}

#[tokio::test]
async fn without_a_scope_there_are_no_rows_and_with_one_only_its_own() {
    let app = TestApp::offline().await;
    let postgres = database::postgres().await;
    assert_eq!(
        app.count("SELECT count(*) FROM orders").await,
        10,
        "both stores have orders"
    );
    for role in ["countersign_reader", "countersign_web", "countersign_executor"] {
        let mut db = PgConnection::connect_with(&postgres.address(&app.database).username(role))
            .await
            .expect("connects");
        for table in [
            "orders",
            "order_lines",
            "money_movements",
            "order_balances",
            "order_payments",
            "shoppers",
            "payment_methods",
            "products",
            "variants",
        ] {
            let count: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
                .fetch_one(&mut db)
                .await
                .expect("runs");
            assert_eq!(count, 0, "{role} {table}");
        }
    }
    async fn orders<R: Role>(tx: Result<Tx<R>, sqlx::Error>) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM orders")
            .fetch_one(&mut *tx.expect("begins"))
            .await
            .expect("runs")
    }
    let tenant = app.store.tenant.id;
    let mia: uuid::Uuid =
        sqlx::query_scalar("SELECT shopper_id FROM shoppers WHERE external_id = 'mia' AND tenant_id = $1")
            .bind(tenant.as_uuid())
            .fetch_one(&mut app.superuser().await)
            .await
            .expect("a shopper");
    assert_eq!(
        orders(app.pools.reader.begin(Scope::tenant(tenant)).await).await,
        0,
        "the reader needs a shopper too"
    );
    assert_eq!(
        orders(app.pools.reader.begin(Scope::shopper(tenant, mia.into())).await).await,
        3
    );
    assert_eq!(
        orders(
            app.pools
                .reader
                .begin(Scope::shopper(app.other_store.tenant.id, mia.into()))
                .await
        )
        .await,
        0,
        "another store's shopper"
    );
    assert_eq!(orders(app.pools.web.begin(Scope::tenant(tenant)).await).await, 5);
    assert_eq!(orders(app.pools.executor.begin(Scope::tenant(tenant)).await).await, 5);
}
