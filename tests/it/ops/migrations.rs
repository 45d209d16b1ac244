//! Every migration can be undone and applied again with the same schema as the result, on a database with a store's data (D2).

use std::{collections::BTreeMap, path::PathBuf, process::Command};

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::support::{Reply, TestApp, database, process::Process};

/// The schema as `pg_dump` writes it, as sorted lines, because the order of grants depends on when they were given.
async fn schema(database: &str) -> Vec<String> {
    let socket = database::postgres().await.socket_folder();
    let dump = Command::new("pg_dump")
        .args(["--schema-only", "--schema=public", "--username=postgres", "--host"])
        .arg(socket)
        .arg(database)
        .output()
        .expect("pg_dump runs");
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let text = String::from_utf8(dump.stdout).expect("text");
    let mut lines: Vec<String> = text
        .lines()
        // Lines with pg_dump's own commands, and comments, are left out.
        .filter(|line| !line.starts_with('\\') && !line.starts_with("--") && !line.is_empty())
        .map(str::to_owned)
        .collect();
    lines.sort();
    lines
}

fn difference(before: &[String], after: &[String]) -> Vec<String> {
    let mut count: BTreeMap<&str, i32> = BTreeMap::new();
    before.iter().for_each(|line| *count.entry(line).or_default() -= 1);
    after.iter().for_each(|line| *count.entry(line).or_default() += 1);
    count
        .into_iter()
        .filter(|(_, count)| *count != 0)
        .map(|(line, count)| format!("{count:+} {line}"))
        .collect()
}

/// The migrations, newest first: name, SQL that applies it, SQL that undoes it.
fn migrations() -> Vec<(String, String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .expect("the folder")
        .filter_map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_str()?
                .strip_suffix(".up.sql")
                .map(str::to_owned)
        })
        .collect();
    names.sort();
    names.reverse();
    let read =
        |file: String| std::fs::read_to_string(folder.join(&file)).unwrap_or_else(|_| panic!("{file} is missing"));
    names
        .into_iter()
        .map(|name| {
            let (up, down) = (read(format!("{name}.up.sql")), read(format!("{name}.down.sql")));
            (name, up, down)
        })
        .collect()
}

async fn run(owner: &mut PgConnection, what: &str, statements: &str) {
    let mut tx = owner.begin().await.expect("begins");
    let ran = sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
        .execute(&mut *tx)
        .await;
    ran.unwrap_or_else(|error| panic!("{what}: {error}"));
    tx.commit().await.expect("commits");
}

#[tokio::test]
async fn every_migration_goes_back_and_forth_on_a_store_with_data() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    app.model.script([
        Reply::call(
            "request_refund",
            json!({ "order_number": "#1002", "amount": "3.00", "reason": "Broken." }),
        ),
        Reply::text("A person will decide."),
    ]);
    mia.ask("My mug arrived broken.").await;
    let mut owner = app.superuser().await;
    // `migrate` gives this grant, which a copied database does not have.
    let grant = format!("GRANT CREATE ON DATABASE {} TO countersign_owner", app.database);
    run(&mut owner, "the grant", &grant).await;
    run(&mut owner, "the role", "SET ROLE countersign_owner").await;
    let mut before = schema(&app.database).await;
    for (name, up, down) in migrations() {
        run(&mut owner, &format!("{name}, back"), &down).await;
        let without = schema(&app.database).await;
        assert!(without != before, "{name} undoes nothing");
        run(&mut owner, &format!("{name}, forth again"), &up).await;
        let changed = difference(&before, &schema(&app.database).await);
        assert_eq!(changed, [""; 0], "{name}: there and back is not the same");
        run(&mut owner, &format!("{name}, back again"), &down).await;
        before = schema(&app.database).await;
        assert_eq!(
            difference(&without, &before),
            Vec::<String>::new(),
            "{name}: back twice is not the same"
        );
    }
    let left: Vec<_> = before.iter().filter(|line| line.starts_with("CREATE")).collect();
    assert!(
        left.iter()
            .all(|line| line.contains("_sqlx_migrations") || line.ends_with("SCHEMA public;")),
        "{left:?}"
    );
}

#[tokio::test]
async fn a_release_works_on_the_schema_of_a_later_one() {
    let app = TestApp::without_worker().await;
    app.execute_sql("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'of a later release', true, '\\x00', 0)")
        .await;
    app.execute_sql("ALTER TABLE shoppers ADD COLUMN of_a_later_release text")
        .await;
    let settings = database::settings(database::postgres().await.address(&app.database));
    let admin = database::postgres().await.admin(&app.database);
    countersign::cli::migrate(&admin, &settings)
        .await
        .expect("there is nothing to do, and nothing to complain of");
    let server = Process::serve(&app).await;
    let mia = app.shopper("mia").await.at(&server.url);
    app.model.script([Reply::text("All is well.")]);
    assert_eq!(mia.ask_text("Is all well?").await, "All is well.");
}
