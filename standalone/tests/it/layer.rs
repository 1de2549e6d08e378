//! A service of one's own with the gate within it, beside the three services: the example of the documentation.

use std::net::SocketAddr;

use api_service::layer;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::pipeline::{ALONE, eventually};
use crate::system::{System, curl};

#[path = "../../../api-service/examples/orders.rs"]
#[expect(dead_code, reason = "the test serves by itself what `main` would")]
mod orders;

const POLICY: &str =
    "audience = ['orders']\n[[route]]\nname='order-read'\nmatch='GET /orders/{id}'\nallow='signed-in'\n";

/// The settings as an operator writes them.
fn settings(system: &System) -> layer::GateSettings {
    let path = |name: &str| system.folder.path().join(name).to_str().unwrap().to_owned();
    let servers = &system.servers;
    std::fs::write(path("orders.policy.toml"), POLICY).unwrap();
    let broker_url = format!(
        "amqp://orders-api:{}@{}/%2f",
        servers.broker_password, servers.broker
    );
    std::fs::write(path("orders.broker"), broker_url).unwrap();
    let config = format!(
        "issuer = '{}'\nauth_url = '{}'\npolicy_file = '{}'\nspool_dir = '{}'\nbroker_url_file = '{}'\n\
         topology_prefix = '{}'\nservice_token_file = '{}'\ninstance = 'orders-1'\n",
        system.url(),
        system.auth_url(),
        path("orders.policy.toml"),
        path("spool-orders"),
        path("orders.broker"),
        system.prefix(),
        path("service.token"),
    );
    std::fs::write(path("orders.toml"), config).unwrap();
    let file = system.folder.path().join("orders.toml");
    layer::settings("orders-api", "ORDERS_", Some(&file)).unwrap()
}

fn read(address: SocketAddr, token: &str) -> (u16, serde_json::Value) {
    let bearer = format!("authorization: Bearer {token}");
    curl(&["-H", &bearer, &format!("http://{address}/orders/7")])
}

#[test]
fn a_service_of_one_s_own_is_known_to_issuer_and_collector_like_a_door() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(mut system) = System::new() else { return };
    system.start_all();
    let settings = settings(&system);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = runtime.spawn(async move {
        let stopped = async { drop(stopped.await) };
        orders::serve(settings, listener, stopped).await.unwrap();
    });
    let token = system.sign_in_first_admin("orders")["access_token"].clone();
    let token = token.as_str().unwrap();

    let answer = eventually("the token is accepted", || {
        let (status, answer) = read(address, token);
        (status == 200).then_some(answer)
    });
    assert_eq!(answer["order"], "7");
    let admin = system.sign_in("gatelog")["access_token"].clone();
    let admin = admin.as_str().unwrap();
    let event = eventually("the collector has its event", || {
        let (_, page) = system.get("/v1/events?route=order-read&outcome=granted", admin);
        page["events"].as_array()?.first().cloned()
    });
    assert_eq!(event["source"]["service"], "orders-api", "{event}");

    let bearer = format!("authorization: Bearer {admin}");
    let session = event["actor"]["sid"].as_str().unwrap();
    let session = format!("{}/v1/admin/sessions/{session}", system.url());
    assert_eq!(curl(&["-X", "DELETE", "-H", &bearer, &session]).0, 204);
    let refused = eventually("the session is refused", || {
        let (status, answer) = read(address, token);
        (status == 401).then_some(answer)
    });
    assert_eq!(refused["code"], "token_revoked");
    stop.send(()).unwrap();
    runtime.block_on(serving).unwrap();
}
