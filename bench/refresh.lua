-- wrk script: refreshes grants for real. Sends each refresh token of the file SEED once and queues its successor.
-- A line of SEED is `appId secret refreshToken accessToken`. With CLOSE=1 every request is a connection of its own.
-- The threads of wrk, THREADS of them, share the file: no token is sent twice.
dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "report.lua")
local path = "/iocm/app/sec/v1.1.0/refreshToken"
local headers = { ["Content-Type"] = "application/json" }
if os.getenv("CLOSE") == "1" then headers["Connection"] = "close" end
local queue, head, tail = {}, 1, 0
local owner = {}

-- The application's number stands in bytes 4 to 7 of a token: characters 6 to 11 of its base64url text.
local digit = {}
for i = 1, 64 do
  digit[("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"):byte(i)] = i - 1
end
local function application(token)
  local value = 0
  for i = 6, 11 do value = value * 64 + digit[token:byte(i)] end
  return math.floor(value / 4) % 4294967296
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
    owner[application(refresh)] = '{"appId":"' .. app .. '","secret":"' .. secret .. '","refreshToken":"'
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
  return wrk.format("POST", path, headers, owner[application(token)] .. token .. '"}')
end

function response(status, _, body)
  local token = body:match('"refreshToken":"([^"]+)"')
  if token then
    tail = tail + 1
    queue[tail] = token
  end
end
