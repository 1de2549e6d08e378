//! A fresh database for each test.

use audit_collector::event_log::EventLog;
use audit_collector::schema::SCHEMA;
use shared::database::{Database, DatabaseUrl};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};
use tempfile::TempDir;
use uuid::Uuid;

use super::server_variable;

/// A database that belongs to one test.
pub(crate) struct TestDatabase {
    pub(crate) url: DatabaseUrl,
    place: Place,
}

enum Place {
    Folder { _folder: TempDir },
    Server { admin_url: String, name: String },
}

impl TestDatabase {
    pub(crate) fn sqlite() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("audit.db");
        Self {
            url: format!("sqlite:{}", path.display()).parse().unwrap(),
            place: Place::Folder { _folder: folder },
        }
    }

    pub(crate) async fn postgres() -> Option<Self> {
        let admin_url = server_variable("GATELOG_TEST_POSTGRES_URL")?;
        let name = format!("collector_{}", Uuid::new_v4().simple());
        let place = Place::Server {
            admin_url: admin_url.clone(),
            name: name.clone(),
        };
        let (base, _) = admin_url.rsplit_once('/').unwrap();
        let database = Self {
            url: format!("{base}/{name}").parse().unwrap(),
            place,
        };
        database.administer(&format!("CREATE DATABASE {name}")).await;
        Some(database)
    }

    /// The log in it, over connections of its own, as another process would have it.
    pub(crate) async fn log(&self) -> EventLog {
        EventLog::new(Database::open(&self.url, &SCHEMA).await.unwrap())
    }

    /// Whether it is on a server.
    pub(crate) fn is_server(&self) -> bool {
        matches!(self.place, Place::Server { .. })
    }

    /// The name of the database on the server.
    pub(crate) fn name(&self) -> &str {
        match &self.place {
            Place::Server { name, .. } => name,
            Place::Folder { .. } => panic!("a file has no name on a server"),
        }
    }

    /// Runs a statement as the administrator of the server.
    pub(crate) async fn administer(&self, sql: &str) {
        let Place::Server { admin_url, .. } = &self.place else {
            panic!("a file has no administrator");
        };
        let mut connection = PgConnection::connect(admin_url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut connection)
            .await
            .unwrap();
    }

    /// Changes the database behind the collector's back.
    pub(crate) async fn change(&self, sql: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match &self.url {
            DatabaseUrl::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path);
                sql.execute(&mut options.connect().await.unwrap()).await.unwrap();
            }
            DatabaseUrl::Postgres(options) => {
                sql.execute(&mut options.connect().await.unwrap()).await.unwrap();
            }
        }
    }

    /// A connection to the server of its own, to be in the collector's way.
    pub(crate) async fn connection(&self) -> PgConnection {
        match &self.url {
            DatabaseUrl::Postgres(options) => options.connect().await.unwrap(),
            DatabaseUrl::Sqlite(_) => panic!("a file has no server"),
        }
    }

    pub(crate) async fn remove(self) {
        let sql = format!("DROP DATABASE {} WITH (FORCE)", self.name());
        self.administer(&sql).await;
    }

    /// The only number that a query gives.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.rows::<(i64,)>(sql).await[0].0
    }

    /// The rows that a query gives.
    pub(crate) async fn rows<T>(&self, sql: &str) -> Vec<T>
    where
        T: for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow>
            + for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>
            + Send
            + Unpin,
    {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.url {
            DatabaseUrl::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path);
                let mut connection = options.connect().await.unwrap();
                sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap()
            }
            DatabaseUrl::Postgres(options) => {
                let options: &PgConnectOptions = options;
                let mut connection = options.connect().await.unwrap();
                sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap()
            }
        }
    }
}
