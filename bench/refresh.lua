-- wrk script: refreshes grants for real. Sends each refresh token of the file SEED once and queues its successor.
-- A line of SEED is `appId secret refreshToken accessToken`. With CLOSE=1 every request is a connection of its own.
-- The threads of wrk, THREADS of them, share the file: no token is sent twice.
--
-- All that can be is done before the load begins, and what is left takes no patterns: a load that is busy with itself
-- leaves the server idle between requests, which then costs it more for each. For the same reason nginx is loaded with
-- this script as well. The token in its responses belongs to no application.
--
-- Tokens, the beginnings of requests and where they are lie outside of Lua's memory. Lua looks through all that it holds
-- again and again: with 100,000 tokens that took it a sixth of the time, in which every answer came late. And the more it
-- knows of, the more garbage it lets come together: with 1,000,000 tokens in buffers of its own it stood still for 40 ms
-- every other second.
dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "report.lua")
local ffi = require("ffi")
ffi.cdef("void *calloc(size_t, size_t);")
local path = "/iocm/app/sec/v1.1.0/refreshToken"
local headers = { ["Content-Type"] = "application/json" }
if os.getenv("CLOSE") == "1" then headers["Connection"] = "close" end

-- A ring of all tokens, with room for as many as there were in the beginning: one that was sent makes room for its successor.
local TOKEN = 64
local tokens, room, head, tail = nil, 0, 0, 0

-- All of a request before the token, one after the other, and where an application's begins, by its number: it ends where
-- the next one's begins.
local befores, from, last = nil, nil, 0
local any, request_text = nil, ffi.new("char[?]", 4096)
local END = '"}'

-- The application's number stands in bytes 4 to 7 of a token: characters 6 to 11 of its base64url text.
local digit = {}
for i = 1, 64 do
  digit[("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"):byte(i)] = i - 1
end
local function application(token)
  local upper = (digit[token[5]] * 64 + digit[token[6]]) * 64 + digit[token[7]]
  local lower = (digit[token[8]] * 64 + digit[token[9]]) * 64 + digit[token[10]]
  return math.floor((upper * 262144 + lower) / 4) % 4294967296
end

local threads, started = tonumber(os.getenv("THREADS") or "1"), 0
function setup(thread)
  thread:set("own_part", started)
  started = started + 1
end

-- Bytes that are never freed, all 0.
local function memory(kind, bytes)
  return ffi.cast(kind, ffi.C.calloc(bytes, 1))
end

local function before(app, secret, refresh)
  local body = '{"appId":"' .. app .. '","secret":"' .. secret .. '","refreshToken":"' .. refresh .. END
  return wrk.format("POST", path, headers, body):sub(1, -(#refresh + #END + 1))
end

-- In the order of their numbers, which is about the one in which they will be needed.
local function lay_out(texts, length)
  befores = memory("char *", length)
  from = memory("uint32_t *", 4 * (last + 2))
  for owner = 0, last do
    local text = texts[owner] or ""
    ffi.copy(befores + from[owner], text, #text)
    from[owner + 1] = from[owner] + #text
  end
end

function init()
  local own, texts, length, number = {}, {}, 0, 0
  for line in io.lines(os.getenv("SEED")) do
    local app, secret, refresh = line:match("(%S+) (%S+) (%S+)")
    assert(#refresh == TOKEN, "a refresh token of another length")
    local owner = application(ffi.cast("const char *", refresh))
    if not texts[owner] then
      texts[owner] = before(app, secret, refresh)
      length = length + #texts[owner]
      any, last = owner, math.max(owner, last)
    end
    if number % threads == own_part then own[#own + 1] = refresh end
    number = number + 1
  end
  tokens, room, tail = memory("char *", #own * TOKEN), #own, #own
  ffi.copy(tokens, table.concat(own), #own * TOKEN)
  lay_out(texts, length)
  own, texts = nil, nil
  collectgarbage()
end

function request()
  local token = tokens + head % room * TOKEN
  head = head + 1
  local owner = application(token)
  if owner > last or from[owner] == from[owner + 1] then owner = any end
  local length = from[owner + 1] - from[owner]
  ffi.copy(request_text, befores + from[owner], length)
  ffi.copy(request_text + length, token, TOKEN)
  ffi.copy(request_text + length + TOKEN, END, #END)
  return ffi.string(request_text, length + TOKEN + #END)
end

local name = '"refreshToken":"'
function response(_, _, body)
  local _, at = body:find(name, 1, true)
  if at then
    ffi.copy(tokens + tail % room * TOKEN, ffi.cast("const char *", body) + at, TOKEN)
    tail = tail + 1
  end
end
