//! The first administrator: made once, with a one-time token that only who runs the service can get.

mod handler;

use shared::clock::UtcMicros;
use shared::runtime::cli::StartError;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::one_time_token::{self, Purpose};
use crate::{secret, user};
use shared::database::Database;

/// `POST /v1/setup`.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(handler::set_up))
}

/// A fresh setup token, which voids the one before; `None` if there is an administrator.
pub(crate) async fn new_token(database: &Database, now: UtcMicros) -> Result<Option<String>, StartError> {
    let token = secret::fresh_token(Purpose::Setup.prefix()).map_err(StartError::failed)?;
    let expires_at = now.plus(Purpose::Setup.lifetime());
    let making = async {
        let mut tx = database.write().await?;
        if user::has_administrator(&mut tx).await? {
            return Ok(None);
        }
        one_time_token::replace(&mut tx, Purpose::Setup, None, &token, expires_at).await?;
        database.commit(tx).await?;
        Ok(Some(token))
    };
    making
        .await
        .map_err(|error: shared::database::DatabaseError| StartError::failed(error))
}
