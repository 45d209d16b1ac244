//! Test data: a million orders, and the sessions that read them.

use std::{fs, path::Path};

use countersign::keyring::{Keyring, Purpose};
use sqlx::{AssertSqlSafe, Connection, PgConnection, postgres::PgConnectOptions};

/// The server's secret key, with which sessions are made without logging in.
pub const SECRET_KEY: &str = "secret key of the bench, long enough";
pub const TENANTS: u32 = 100;
/// The number of shoppers of each tenant. Each has a session for HTTP and one for pgbench.
const SHOPPERS: u32 = 100;

/// The id of a tenant ends with its number in hexadecimal; a shopper's begins with the tenant's and ends with its own. pgbench computes
/// the same ids.
fn tenant(t: u32) -> String {
    format!("00000000-0000-7000-8000-{t:012x}")
}

/// Fills the database and writes `sessions.lua`: one line for each session, with its token and an order number of its shopper.
pub async fn load(admin: &PgConnectOptions, orders: u32, folder: &Path) -> Vec<Session> {
    let mut db = PgConnection::connect_with(admin).await.expect("connects");
    let each = orders / TENANTS;
    let statement = format!(
        r#"SET session_replication_role = replica; -- no foreign-key checks row by row
        CREATE FUNCTION tid(t int) RETURNS uuid LANGUAGE sql IMMUTABLE RETURN ('00000000-0000-7000-8000-' || lpad(to_hex(t), 12, '0'))::uuid;
        CREATE FUNCTION sid(t int, s int) RETURNS uuid LANGUAGE sql IMMUTABLE RETURN (lpad(to_hex(t), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(s), 12, '0'))::uuid;
        INSERT INTO tenants (tenant_id, slug, name, currency) SELECT tid(t), 'store-' || t, 'Store ' || t, 'USD' FROM generate_series(1, {TENANTS}) t;
        INSERT INTO shoppers (tenant_id, shopper_id, external_id, email, first_name, last_name)
            SELECT tid(t), sid(t, s), 's' || s, 's' || s || '@example.com', 'A', 'B' FROM generate_series(1, {TENANTS}) t, generate_series(1, {SHOPPERS}) s;
        INSERT INTO payment_methods (tenant_id, shopper_id, id, external_id, kind) SELECT tid(t), sid(t, s), sid(t, s), 'card-' || s, 'credit_card'
            FROM generate_series(1, {TENANTS}) t, generate_series(1, {SHOPPERS}) s;
        INSERT INTO sessions (tenant_id, shopper_id, id, token_hash, created_at, last_seen_at, idle_until, expires_at)
            SELECT tid(t), sid(t, s), gen_random_uuid(), decode(lpad(to_hex(s), 64, '0'), 'hex'), now(), now(), now() + interval '1 day', now() + interval '1 day'
            FROM generate_series(1, {TENANTS}) t, generate_series(1, {SHOPPERS}) s;
        INSERT INTO orders (tenant_id, shopper_id, id, number, folded_number, status, currency, address, placed_at)
            SELECT tid(t), sid(t, 1 + n % {SHOPPERS}), sid(t, n), '#' || n, n::text, 'delivered', 'USD',
                '{{"address1":"4 Quay Street","address2":"","city":"Portland","state":"ME","zip":"04101","country":"USA"}}', now()
            FROM generate_series(1, {TENANTS}) t, generate_series(1, {each}) n;
        INSERT INTO order_lines (tenant_id, shopper_id, order_id, position, product_id, item_id, name, options, price_minor, quantity)
            SELECT tid(t), sid(t, 1 + n % {SHOPPERS}), sid(t, n), p, 'mug', 'mug-' || p, 'Enamel Mug', '{{"color":"blue"}}', 1250, 1
            FROM generate_series(1, {TENANTS}) t, generate_series(1, {each}) n, generate_series(0, 1) p;
        INSERT INTO payments (tenant_id, shopper_id, order_id, position, kind, amount_minor, payment_method_id)
            SELECT tid(t), sid(t, 1 + n % {SHOPPERS}), sid(t, n), 0, 'payment', 2500, sid(t, 1 + n % {SHOPPERS}) FROM generate_series(1, {TENANTS}) t, generate_series(1, {each}) n;
        INSERT INTO shipments (tenant_id, shopper_id, order_id, position, tracking_number, item_ids)
            SELECT tid(t), sid(t, 1 + n % {SHOPPERS}), sid(t, n), 0, 'T' || n, '{{mug-0,mug-1}}' FROM generate_series(1, {TENANTS}) t, generate_series(1, {each}) n;
        SET session_replication_role = origin"#
    );
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(&mut db)
        .await
        .expect("loads");
    for t in 1..=TENANTS {
        let staff = "WITH s AS (INSERT INTO staff (tenant_id, id, email, role, password_hash) VALUES (tid($1), tid($1), 'a@s.example', 'approver', '') RETURNING id)
            INSERT INTO staff_sessions (tenant_id, staff_id, id, token_hash, created_at, expires_at)
            SELECT tid($1), tid($1), gen_random_uuid(), $2, now(), now() + interval '1 day' FROM s";
        sqlx::raw_sql("SET CONSTRAINTS ALL IMMEDIATE; SET session_replication_role = replica")
            .execute(&mut db)
            .await
            .expect("runs");
        sqlx::query(staff)
            .bind(t as i32)
            .bind(staff_token(t).1.to_vec())
            .execute(&mut db)
            .await
            .expect("staff");
        sqlx::raw_sql("SET session_replication_role = origin")
            .execute(&mut db)
            .await
            .expect("runs");
    }
    let mut sessions = Vec::new();
    let mut lines = String::from("return {\n");
    for t in 1..=TENANTS {
        for s in (1..=SHOPPERS).step_by(5) {
            let (token, hash) = token(t, s);
            let insert = "INSERT INTO sessions (tenant_id, shopper_id, id, token_hash, created_at, last_seen_at, idle_until, expires_at)
                VALUES (tid($1), sid($1, $2), gen_random_uuid(), $3, now(), now() + interval '1 hour', now() + interval '1 day', now() + interval '1 day')";
            sqlx::query(insert)
                .bind(t as i32)
                .bind(s as i32)
                .bind(hash.to_vec())
                .execute(&mut db)
                .await
                .expect("a session");
            // Order numbers whose remainder is the shopper's number.
            let number = (s - 1) + SHOPPERS * (1 + (t * 7 + s) % (each / SHOPPERS - 1).max(1));
            sessions.push(Session {
                tenant: t,
                token: token.clone(),
                order: number,
            });
            lines.push_str(&format!("{{\"{token}\", \"{number}\"}},\n"));
        }
    }
    lines.push_str("}\n");
    fs::write(folder.join("sessions.lua"), lines).expect("written");
    sqlx::raw_sql("VACUUM ANALYZE").execute(&mut db).await.expect("vacuums");
    sqlx::raw_sql("CHECKPOINT").execute(&mut db).await.expect("checkpoints");
    sessions
}

/// A logged-in shopper with an order of its own.
#[derive(Clone)]
pub struct Session {
    pub tenant: u32,
    pub token: String,
    pub order: u32,
}

/// The session token of a tenant's approver, and its stored hash.
pub fn staff_token(t: u32) -> (String, [u8; 32]) {
    make_token("st_", t, 0)
}

/// A session token as `identity` makes them, and its stored hash.
fn token(t: u32, s: u32) -> (String, [u8; 32]) {
    make_token("cs_", t, s)
}

fn make_token(prefix: &str, t: u32, s: u32) -> (String, [u8; 32]) {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    let id: uuid::Uuid = tenant(t).parse().expect("an id");
    let keyring = Keyring::new(&SECRET_KEY.into(), None);
    // Any 32 bytes will do, as long as each token has different ones.
    let secret = keyring.mac(Purpose::Code, format!("secret {t} {s}").as_bytes());
    let token = format!(
        "{prefix}{}",
        BASE64_URL_SAFE_NO_PAD.encode([&id.as_bytes()[..], &secret[..]].concat())
    );
    let hash = keyring.mac(Purpose::Token, token.as_bytes());
    (token, hash)
}
