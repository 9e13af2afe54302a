-- wrk script: refreshes with tokens that can be used again, one after the other. A line of SEED is
-- `appId secret refreshToken accessToken`.
dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "requests.lua")
local path = "/iocm/app/sec/v1.1.0/refreshToken"
local headers = { ["Content-Type"] = "application/json" }

function init()
  for line in io.lines(os.getenv("SEED")) do
    local app, secret, refresh = line:match("(%S+) (%S+) (%S+)")
    local body = '{"appId":"' .. app .. '","secret":"' .. secret .. '","refreshToken":"' .. refresh .. '"}'
    requests[#requests + 1] = wrk.format("POST", path, headers, body)
    if #requests == 20000 then break end
  end
end
