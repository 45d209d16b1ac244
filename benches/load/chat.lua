-- Each request starts a conversation of a random shopper.
function init(args)
  sessions = dofile(args[1] .. "/sessions.lua")
end

function request()
  local session = sessions[math.random(#sessions)]
  return wrk.format("POST", "/v1/chat/send",
    { Authorization = "Bearer " .. session[1], ["Content-Type"] = "application/json" },
    '{"text":"Where is my order #' .. session[2] .. '?"}')
end

dofile("benches/load/report.lua")
