-- wrk script: logs in, as one application after the other. A line of SEED is `appId secret refreshToken accessToken`.
dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "requests.lua")
local path = "/iocm/app/sec/v1.1.0/login"
local headers = { ["Content-Type"] = "application/x-www-form-urlencoded" }
if os.getenv("CLOSE") == "1" then headers["Connection"] = "close" end

function init()
  local seen = {}
  for line in io.lines(os.getenv("SEED")) do
    local app, secret = line:match("(%S+) (%S+)")
    if not seen[app] then
      seen[app] = true
      requests[#requests + 1] = wrk.format("POST", path, headers, "appId=" .. app .. "&secret=" .. secret)
    end
  end
end
