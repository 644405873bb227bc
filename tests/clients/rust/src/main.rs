// tokio-postgres with sealed columns: prepared and binary throughout, pipelined futures, binary COPY, transactions,
// portals. Settings: PG* variables.

use std::{env, error::Error, pin::pin};

use bytes::Bytes;
use chrono::{DateTime, NaiveDate, Utc};
use futures_util::{future::try_join_all, SinkExt, TryStreamExt};
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use postgres_openssl::MakeTlsConnector;
use rust_decimal::Decimal;
use tokio_postgres::{
    binary_copy::BinaryCopyInWriter,
    error::SqlState,
    types::{ToSql, Type},
    Client, Config, NoTls,
};
use uuid::Uuid;

const EMAIL: &str = "ada.canary@mail.example";

type Anything<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Anything<()> {
    let mut client = connect().await?;
    client
        .batch_execute(
            "CREATE TABLE people (
               id integer PRIMARY KEY, name varchar(80), email varchar(120) UNIQUE, born date, balance numeric(12,2),
               visits integer, seen timestamptz, token uuid, photo bytea, profile jsonb, notes text, city text);
             CREATE TABLE orders (id serial PRIMARY KEY, email varchar(120) REFERENCES people (email), total numeric(12,2))",
        )
        .await?;
    let born = NaiveDate::from_ymd_opt(1815, 12, 10).unwrap();
    let seen: DateTime<Utc> = "2024-05-06T07:08:09.123456Z".parse()?;
    let token: Uuid = "c0ffee00-ca9a-4ee1-8000-0123456789ab".parse()?;
    let photo: &[u8] = b"\0canaryphoto\xff";
    let profile = serde_json::json!({"hobby": "canary breeding"});
    let balance: Decimal = "98765.43".parse()?;
    let ada: [&(dyn ToSql + Sync); 12] = [
        &1i32, &"Ada Canary-Lovelace", &EMAIL, &born, &balance, &4711i32, &seen, &token, &photo, &profile,
        &"met Mr Babbage at the canary soirée", &"London",
    ];
    client.execute("INSERT INTO people VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)", &ada).await?;
    client
        .simple_query(
            "INSERT INTO people (id, name, email, born) VALUES
             (2, 'Grace Canary-Hopper', 'grace.canary@mail.example', '1906-12-09')",
        )
        .await?;

    // Equality and ranges; every value comes back as it went.
    let row = client.query_one("SELECT * FROM people WHERE email = $1", &[&EMAIL]).await?;
    assert_eq!(row.get::<_, &str>("name"), "Ada Canary-Lovelace");
    assert_eq!(row.get::<_, NaiveDate>("born"), born);
    assert_eq!(row.get::<_, Decimal>("balance"), balance);
    assert_eq!(row.get::<_, i32>("visits"), 4711);
    assert_eq!(row.get::<_, DateTime<Utc>>("seen"), seen);
    assert_eq!(row.get::<_, Uuid>("token"), token);
    assert_eq!(row.get::<_, &[u8]>("photo"), photo);
    assert_eq!(row.get::<_, serde_json::Value>("profile"), profile);
    assert_eq!(row.columns()[2].type_(), &Type::VARCHAR);
    let later = NaiveDate::from_ymd_opt(1950, 1, 1).unwrap();
    let between = "SELECT id FROM people WHERE born BETWEEN $1 AND $2 ORDER BY born DESC";
    assert_eq!(ids(&client, between, &[&born, &later]).await?, [2, 1]);
    let exact = "SELECT id FROM people WHERE token = $1 AND seen >= $2 AND visits > $3";
    assert_eq!(ids(&client, exact, &[&token, &seen, &4710i32]).await?, [1]);
    assert_eq!(ids(&client, "SELECT id FROM people WHERE email = ANY($1)", &[&vec![EMAIL]]).await?, [1]);

    // Update and join.
    let changed: Decimal = "31337.25".parse()?;
    let update = "UPDATE people SET balance = $1, notes = $2 WHERE email = $3 RETURNING balance";
    let row = client.query_one(update, &[&changed, &None::<&str>, &EMAIL]).await?;
    assert_eq!(row.get::<_, Decimal>(0), changed);
    let total: Decimal = "20.25".parse()?;
    client.execute("INSERT INTO orders (email, total) VALUES ($1, $2), ($1, 10)", &[&EMAIL, &total]).await?;
    let joined = "SELECT p.name FROM people p JOIN orders o USING (email) WHERE o.total > $1";
    let row = client.query_one(joined, &[&Decimal::from(15)]).await?;
    assert_eq!(row.get::<_, &str>(0), "Ada Canary-Lovelace");

    // A batch, pipelined over one connection.
    let add = client.prepare("INSERT INTO people (id, email) VALUES ($1, $2)").await?;
    assert_eq!(add.params(), [Type::INT4, Type::VARCHAR]);
    let people: Vec<(i32, String)> = (100..130).map(|n| (n, format!("batch{n}.canary@mail.example"))).collect();
    try_join_all(people.iter().map(|(id, email)| {
        let parameters: [&(dyn ToSql + Sync); 2] = [id, email];
        let (client, add) = (&client, &add);
        async move { client.execute(add, &parameters).await }
    }))
    .await?;

    // COPY: binary in, text out; rows in pages through a portal.
    let sink = client.copy_in("COPY people (id, email, born) FROM STDIN (FORMAT binary)").await?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &[Type::INT4, Type::VARCHAR, Type::DATE]));
    for n in 200..220i32 {
        let email = format!("copy{n}.canary@mail.example");
        writer.as_mut().write(&[&n, &email, &NaiveDate::from_ymd_opt(1990, 1, n as u32 - 199)]).await?;
    }
    assert_eq!(writer.finish().await?, 20);
    let out = client.copy_out("COPY (SELECT id, email, born FROM people WHERE id = 219) TO STDOUT").await?;
    let chunks: Vec<Bytes> = out.try_collect().await?;
    assert_eq!(chunks.concat(), b"219\tcopy219.canary@mail.example\t1990-01-20\n");
    {
        // Dropped unfinished, with the block: CopyFail.
        let mut sink = pin!(client.copy_in::<_, Bytes>("COPY people (id, email) FROM STDIN").await?);
        sink.send(Bytes::from_static(b"999\tgone.canary@mail.example\n")).await?;
    }
    let transaction = client.transaction().await?;
    let statement = transaction.prepare("SELECT email FROM people WHERE id >= $1 ORDER BY id").await?;
    let portal = transaction.bind(&statement, &[&100i32]).await?;
    for expected in [20, 20, 10, 0] {
        let page = transaction.query_portal(&portal, 20).await?;
        assert_eq!(page.len(), expected);
        assert!(page.iter().all(|row| row.get::<_, &str>(0).ends_with(".canary@mail.example")));
    }
    transaction.commit().await?;

    // Errors and a second try.
    let failed = client.execute(&add, &[&3i32, &EMAIL]).await.unwrap_err();
    assert_eq!(failed.code(), Some(&SqlState::UNIQUE_VIOLATION));
    let like = "SELECT id FROM people WHERE notes LIKE $1";
    let refused = client.query(like, &[&"%at the canary soir%"]).await.unwrap_err();
    assert_eq!(refused.code(), Some(&SqlState::FEATURE_NOT_SUPPORTED));
    assert!(refused.as_db_error().unwrap().message().contains("public.people.notes"));
    let long = "Canary-Hopper".repeat(10);
    let failed = client.execute("INSERT INTO people (id, name) VALUES (3, $1)", &[&long]).await.unwrap_err();
    assert_eq!(failed.code(), Some(&SqlState::STRING_DATA_RIGHT_TRUNCATION));
    client.execute(&add, &[&3i32, &"third.canary@mail.example"]).await?;
    let delete = "DELETE FROM people WHERE email = $1";
    assert_eq!(client.execute(delete, &[&"third.canary@mail.example"]).await?, 1);
    println!("client: tokio-postgres");
    Ok(())
}

async fn connect() -> Anything<Client> {
    let mut config = Config::new();
    config
        .host(env::var("PGHOST")?)
        .port(env::var("PGPORT")?.parse()?)
        .user(env::var("PGUSER")?)
        .password(env::var("PGPASSWORD")?)
        .dbname(env::var("PGDATABASE")?);
    if env::var("PGSSLMODE")? == "disable" {
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        return Ok(client);
    }
    let mut builder = SslConnector::builder(SslMethod::tls())?;
    builder.set_verify(SslVerifyMode::NONE);
    let (client, connection) = config.connect(MakeTlsConnector::new(builder.build())).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn ids(client: &Client, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Anything<Vec<i32>> {
    let rows = client.query(sql, parameters).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
