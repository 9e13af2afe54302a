-- Asks Northgate whether a call may pass. HAProxy has no such thing of its own; this uses its built-in HTTP client.

-- For answers as in RFC 6750: /verify?style=oauth
local VERIFY = "http://127.0.0.1:8744/verify"
local TIMEOUT_MS = 2000

-- What of a call Northgate looks at, and nothing else.
local CREDENTIALS = {
    "host", "app_key", "x-app-key", "authorization", "access_token", "dpop", "traceparent", "tracestate",
    -- haproxy.cfg has set these, or removed them.
    "client-cert", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto",
}
-- What of a refusal belongs to the client.
local PASSED_ON = { "content-type", "www-authenticate", "retry-after", "cache-control" }

-- What this gateway answers by itself, as docs/errors.md has it.
local function json(code, text)
    return string.format('{"error_code":"%s","error_desc":"%s","resultcode":"%s","resultmsg":"%s"}', code, text, code, text)
end
local JSON = { ["content-type"] = { [0] = "application/json; charset=UTF-8" }, ["cache-control"] = { [0] = "no-store" } }
local BUSY = { ["retry-after"] = { [0] = "1" }, ["content-type"] = JSON["content-type"], ["cache-control"] = JSON["cache-control"] }

-- HAProxy counts the values of a header from 0, and its client wants them from 1.
local function values(of)
    local all = {}
    for index = 0, #of do
        all[#all + 1] = of[index]
    end
    return all
end

local function question(txn)
    local headers = {}
    local sent = txn.http:req_get_headers()
    for _, name in ipairs(CREDENTIALS) do
        if sent[name] then
            headers[name] = values(sent[name])
        end
    end
    -- Which call it is.
    headers["x-original-method"] = { txn.f:method() }
    headers["x-original-uri"] = { txn.f:pathq() }
    return { url = VERIFY, headers = headers, timeout = TIMEOUT_MS }
end

local function refuse(txn, status, body, headers)
    local reply = txn:reply()
    reply:set_status(status)
    for _, name in ipairs(PASSED_ON) do
        if headers[name] then
            reply:add_header(name, headers[name][0])
        end
    end
    reply:set_body(body)
    txn:done(reply)
end

core.register_action("northgate_verify", { "http-req" }, function(txn)
    local answer = core.httpclient():get(question(txn))
    local status = answer and answer.status or 0
    if status == 200 and answer.headers["x-northgate-app-id"] then
        txn:set_var("txn.northgate_app_id", answer.headers["x-northgate-app-id"][0])
        txn:set_var("txn.northgate_scope", answer.headers["x-northgate-scope"][0])
        txn:set_var("txn.northgate_expires_at", answer.headers["x-northgate-expires-at"][0])
        -- While traces are on (docs/operating/traces.md).
        for _, name in ipairs({ "traceparent", "tracestate" }) do
            if answer.headers[name] then
                txn:set_var("txn.northgate_" .. name, answer.headers[name][0])
            end
        end
    elseif status == 431 then
        -- Northgate's HTTP parser says so without a body.
        refuse(txn, 431, json("50431", "The request headers are too large."), JSON)
    elseif status == 400 and (answer.body or "") == "" then
        refuse(txn, 400, json("50400", "The input is invalid."), JSON)
    elseif status >= 400 and status < 500 then
        refuse(txn, status, answer.body or "", answer.headers)
    else
        refuse(txn, 503, json("50503", "The service is busy."), BUSY)
    end
end)
