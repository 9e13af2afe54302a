<?php
// The curl extension: a header without a space after its colon, no User-Agent, and nothing is URL-encoded.

$app_id = getenv('APP_ID');
$secret = getenv('SECRET');

function send($url, $headers, $body) {
    $curl = curl_init($url);
    curl_setopt($curl, CURLOPT_CAINFO, getenv('CERTIFICATE'));
    curl_setopt($curl, CURLOPT_HTTPHEADER, $headers);
    curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
    if ($body !== null) {
        curl_setopt($curl, CURLOPT_POST, true);
        curl_setopt($curl, CURLOPT_POSTFIELDS, $body);
    }
    $answer = curl_exec($curl);
    if ($answer === false) {
        throw new Exception(curl_error($curl));
    }
    return [curl_getinfo($curl, CURLINFO_HTTP_CODE), $answer];
}

function post($operation, $type, $body) {
    return send(getenv('PUBLIC') . "/iocm/app/sec/v1.1.0/$operation", ["Content-Type:$type"], $body);
}

function login($secret) {
    global $app_id;
    return post('login', 'application/x-www-form-urlencoded', "appId=$app_id&secret=$secret");
}

// A form here, too.
function refresh($token) {
    global $app_id, $secret;
    $body = "appId=$app_id&secret=$secret&refreshToken=$token";
    return post('refreshToken', 'application/x-www-form-urlencoded', $body);
}

function check($holds, $answer) {
    if (!$holds) {
        throw new Exception(json_encode($answer));
    }
}

function pair($answer) {
    check($answer[0] == 200, $answer);
    $pair = json_decode($answer[1], true);
    check(is_int($pair['expiresIn']), $answer);
    return $pair;
}

function refused($answer, $status, $code) {
    check($answer[0] === $status && json_decode($answer[1], true)['error_code'] === $code, $answer);
}

$first = $second = null;
$steps = [
    'login' => function () use (&$first, $secret) {
        $first = pair(login($secret));
    },
    'refresh' => function () use (&$first, &$second) {
        $second = pair(refresh($first['refreshToken']));
        check($second['refreshToken'] !== $first['refreshToken'], $second);
    },
    'verify' => function () use (&$second, $app_id) {
        $headers = ["app_key:$app_id", "Authorization:{$second['tokenType']} {$second['accessToken']}"];
        $answer = send(getenv('PRIVATE') . '/verify', $headers, null);
        check($answer[0] === 200, $answer);
    },
    'refresh-again' => function () use (&$first, &$second) {
        $again = pair(refresh($first['refreshToken']));
        check($again['refreshToken'] === $second['refreshToken'], $again);
    },
    'logout' => function () use (&$second) {
        $answer = post('logout', 'application/json', json_encode(['accessToken' => $second['accessToken']]));
        check($answer === [204, ''], $answer);
    },
    'refresh-after-logout' => function () use (&$second) {
        refused(refresh($second['refreshToken']), 400, '50400');
    },
    'wrong-secret' => function () {
        refused(login('wrong'), 401, '100208');
    },
];

foreach ($steps as $name => $step) {
    try {
        $step();
        echo "ok $name\n";
    } catch (Throwable $error) {
        echo "not ok $name: {$error->getMessage()}\n";
    }
}
