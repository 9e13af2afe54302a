-- wrk script: refreshes grants for real. Sends each refresh token of the file SEED once and queues its successor.
-- A line of SEED is `appId secret refreshToken accessToken`. With CLOSE=1 every request is a connection of its own.
-- The threads of wrk, THREADS of them, share the file: no token is sent twice.
--
-- All that can be is done before the load begins, and what is left takes no patterns: a load that is busy with itself
-- leaves the server idle between requests, which then costs it more for each. For the same reason nginx is loaded with
-- this script as well. The token in its answers is nobody's.
dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "report.lua")
local path = "/iocm/app/sec/v1.1.0/refreshToken"
local headers = { ["Content-Type"] = "application/json" }
if os.getenv("CLOSE") == "1" then headers["Connection"] = "close" end
local queue, head, tail = {}, 1, 0
-- By application number, all of a request before the token; and that of some application.
local before, any_before = {}, nil

-- The application's number stands in bytes 4 to 7 of a token: characters 6 to 11 of its base64url text.
local digit = {}
for i = 1, 64 do
  digit[("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"):byte(i)] = i - 1
end
local function application(token)
  local a, b, c, d, e, f = token:byte(6, 11)
  local upper = (digit[a] * 64 + digit[b]) * 64 + digit[c]
  local lower = (digit[d] * 64 + digit[e]) * 64 + digit[f]
  return math.floor((upper * 262144 + lower) / 4) % 4294967296
end

local threads, started = tonumber(os.getenv("THREADS") or "1"), 0
function setup(thread)
  thread:set("own_part", started)
  started = started + 1
end

function init()
  local number = 0
  for line in io.lines(os.getenv("SEED")) do
    local app, secret, refresh = line:match("(%S+) (%S+) (%S+)")
    local owner = application(refresh)
    if not before[owner] then
      local body = '{"appId":"' .. app .. '","secret":"' .. secret .. '","refreshToken":"' .. refresh .. '"}'
      before[owner] = wrk.format("POST", path, headers, body):sub(1, -(#refresh + 3))
      any_before = before[owner]
    end
    if number % threads == own_part then
      tail = tail + 1
      queue[tail] = refresh
    end
    number = number + 1
  end
end

function request()
  local token = queue[head]
  queue[head] = nil
  head = head + 1
  return (before[application(token)] or any_before) .. token .. '"}'
end

local name = '"refreshToken":"'
function response(_, _, body)
  local _, at = body:find(name, 1, true)
  if at then
    tail = tail + 1
    queue[tail] = body:sub(at + 1, at + 64)
  end
end
