-- A part of a month of events, numbers $1 to $2 of $3, that ends at $4 (microseconds): people and programs at work, most of them by day,
-- a few of them much more than the others, and now and then somebody without a token. The columns are those that the collector would
-- have made of the bodies, and the bodies are read by it afterwards.
WITH numbered AS (
    SELECT i, bench_time(i, $3, $4) AS time, bench_time((i / 2000 + 1) * 2000, $3, $4) + 1000000 AS recorded_at,
        -- What happens is decided by its number alone, so that two fillings are alike.
        (hashint8extended(i, 1) & 1048575) / 1048576.0 AS who,
        (hashint8extended(i, 2) & 1048575) / 1048576.0 AS what,
        (hashint8extended(i, 3) & 1048575) / 1048576.0 AS fate,
        (hashint8extended(i, 4) & 1048575) / 1048576.0 AS length
    FROM generate_series($1::bigint, $2::bigint) AS i
    OFFSET 0
), decided AS (
    SELECT *, floor(20000 * power(who, 3))::int AS person,
        CASE WHEN what < 0.97 THEN 'access' WHEN what < 0.995 THEN 'auth' WHEN what < 0.998 THEN 'admin' ELSE 'system' END AS class,
        floor(24 * power(what / 0.97, 2))::int AS page,
        CASE
            WHEN what >= 0.97 AND what < 0.995 THEN CASE WHEN fate < 0.9 THEN 'success' ELSE 'failure' END
            WHEN what >= 0.995 THEN 'success'
            WHEN fate < 0.94 THEN 'granted' WHEN fate < 0.99 THEN 'denied' ELSE 'error'
        END AS outcome
    FROM numbered
    OFFSET 0
), told AS (
    SELECT *,
        (lpad(to_hex(time / 1000), 12, '0') || '7' || lpad(to_hex(i & 4095), 3, '0') || '8' || lpad(to_hex(i), 15, '0'))::uuid AS id,
        outcome <> 'denied' OR fate < 0.98 AS is_known,
        CASE class
            WHEN 'access' THEN 'api_request' WHEN 'admin' THEN 'privilege_permissions_changed' WHEN 'system' THEN 'heartbeat'
            ELSE CASE WHEN outcome = 'failure' THEN 'authn_login_fail' WHEN fate < 0.4 THEN 'authn_login_success'
                WHEN fate < 0.88 THEN 'authn_token_created' ELSE 'authn_token_revoked' END
        END AS action,
        CASE
            WHEN class = 'auth' AND outcome = 'failure' THEN 'wrong_password'
            WHEN fate < 0.94 OR class <> 'access' THEN NULL
            WHEN fate < 0.96 THEN 'token_expired' WHEN fate < 0.975 THEN 'missing_scope' WHEN fate < 0.98 THEN 'rate_limited'
            WHEN fate < 0.989 THEN 'token_missing' WHEN fate < 0.98998 THEN 'bad_signature' WHEN fate < 0.99 THEN 'session_revoked'
            ELSE 'upstream_unreachable'
        END AS reason,
        CASE
            WHEN class <> 'access' THEN NULL
            WHEN fate < 0.94 THEN CASE WHEN fate < 0.8 THEN 200 WHEN fate < 0.9 THEN 201 WHEN fate < 0.93 THEN 404 ELSE 409 END
            WHEN fate < 0.96 THEN 401 WHEN fate < 0.975 THEN 403 WHEN fate < 0.98 THEN 429 WHEN fate < 0.99 THEN 401 ELSE 502
        END AS status,
        (500 + 3000 * exp(3 * length * length))::bigint AS duration,
        (array['orders', 'invoices', 'search', 'customers', 'files', 'reports', 'carts', 'payments'])[1 + page % 8] AS area
    FROM decided
    OFFSET 0
), named AS (
    SELECT *,
        format('10.%s.%s.%s', person / 250, person % 250, 1 + i % 3) AS ip,
        'usr_' || md5(person::text) AS sub, 'user' || person AS username,
        'ses_' || md5(person || ' ' || time / 28800000000) AS sid, 'tok_' || md5(person || ' ' || time / 600000000) AS jti,
        (array['web', 'mobile', 'partner', 'batch'])[1 + person % 4] AS client,
        area || '-' || page AS route, format('/v2/%s/%s/{id}', area, page) AS template, format('/v2/%s/%s/%s', area, page, i) AS path,
        (array['GET', 'GET', 'GET', 'POST', 'PUT'])[1 + (page % 5)] AS method
    FROM told
)
INSERT INTO event (id, class, time, batch_id, ordinal, time_suspect, service, instance, boot, seq, action, outcome, reason, identity, sub,
    username, client_id, sid, jti, ip, route, template, path, status, request_id, body, method, duration_us)
SELECT id, class, time, bench_batch(recorded_at, i / 2000), i % 2000, FALSE, service, 'host-1', boot, i + 1, action, outcome, reason,
    CASE WHEN NOT is_known THEN 'none' WHEN class = 'system' THEN 'none' ELSE 'verified' END,
    CASE WHEN is_person THEN sub END, CASE WHEN is_person THEN username END, CASE WHEN is_person THEN client END,
    CASE WHEN is_person THEN sid END, CASE WHEN is_person THEN jti END,
    CASE WHEN class <> 'system' THEN decode('00000000000000000000ffff0a' || lpad(to_hex(person / 250), 2, '0')
        || lpad(to_hex(person % 250), 2, '0') || lpad(to_hex(1 + i % 3), 2, '0'), 'hex') END,
    CASE WHEN is_request THEN route END, CASE WHEN is_request THEN template END, CASE WHEN is_request THEN path END, status,
    CASE WHEN is_request THEN id::text END,
    convert_to('{"specversion":"1.0","id":"' || id || '","source":"/' || service || '/host-1/' || boot || '","type":"gatelog.' || class
        || '.v1","time":"' || to_char(to_timestamp(time / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
        || '.' || lpad((time % 1000000)::text, 6, '0') || 'Z","sequence":"' || i + 1
        || '","datacontenttype":"application/json","data":{"class":"' || class || '","action":"' || action || '","outcome":"' || outcome || '"'
        || COALESCE(',"reason":"' || reason || '"', '') || ',"actor":{"identity":"'
        || CASE WHEN is_person THEN 'verified","sub":"' || sub || '","username":"' || username || '","client_id":"' || client
            || '","roles":["clerk"],"sid":"' || sid || '","jti":"' || jti || '"}' ELSE 'none"}' END
        || CASE WHEN class <> 'system' THEN ',"client":{"ip":"' || ip || '","peer_ip":"10.255.0.1","user_agent":"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0"}' ELSE '' END
        || CASE WHEN is_request THEN ',"token":{"iss":"http://127.0.0.1:8080","kid":"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs","alg":"EdDSA","age_s":42},"http":{"method":"'
            || method || '","host":"api.example","route":"' || template || '","path":"' || path || '","status":' || status || ',"duration_us":' || duration
            || ',"request_bytes":0,"response_bytes":512},"policy":{"route":"' || route || '","rule":"scope:' || area || ':read","door":"proxy"},"trace":{"request_id":"' || id || '"}' ELSE '' END
        || '}}', 'UTF8'),
    CASE WHEN is_request THEN method END, CASE WHEN is_request THEN duration END
FROM named,
    LATERAL (SELECT class = 'access' AS is_request, class <> 'system' AND is_known AS is_person,
        CASE WHEN class IN ('auth', 'admin') THEN 'auth-service' ELSE 'api-service' END AS service,
        '6f1c0a2e-5b1d-4c57-9a34-0d6a4f0e9b11'::uuid AS boot) AS known
