# What is wrong with the language model, for staff and operators. Each text ends a sentence; `.mend` says what to do.

model-answered = it answers
model-called-tools = it calls the tools and answers from their results
model-ignored-tools = it answers without the tools that it is given
    .mend = The server may drop tools silently because the model's chat template has none. Take a model that can call tools in { $model }, or start its server with a template for tools.
model-call-as-text = it writes its calls into the text
    .mend = The server does not read calls out of the text. Switch its tool parser on (vLLM: --enable-auto-tool-choice and --tool-call-parser; llama.cpp: --jinja), or take another model in { $model }.
model-called-unknown-tool = it calls a tool that there is not
    .mend = The model is too weak for tools. Take a larger one in { $model }.
model-called-with-wrong-arguments = it calls a tool with wrong arguments
    .mend = The model is too weak for tools, or its server reads calls wrongly. Take another one in { $model }.
model-called-too-few-tools = it does not call all the tools that a question needs
    .mend = The model is weak with tools; questions about two things may be half answered. Take a larger one in { $model }.
model-called-without-end = it calls tools again and again and never answers
    .mend = The server's template may drop the tools' results. Take another model in { $model }, or another template.
model-ignored-results = it calls the tools and does not say what they return
    .mend = The server's template may drop the tools' results. Take another model in { $model }, or another template.

model-too-slow = it does not answer in time
    .mend = Is the server overloaded, or does it still load the model? Wait, take a faster model in { $model }, or raise MODEL_FIRST_TOKEN_SECONDS and MODEL_TOTAL_SECONDS.
model-rate-limited = the provider takes no more requests for now
    .mend = Ask the provider for a higher limit, or set SECOND_MODEL to a model elsewhere.
model-no-credit = the account at the provider has no credit left
    .mend = Add credit at the provider, or put the key of another account into { $key }.
model-key-refused = the provider refuses the key
    .mend = Put a valid key into { $key }: one of the provider at { $url }, not expired, and allowed to use the model.
model-unknown = the provider does not know the model
    .mend = Write { $model } as the provider lists it, and check that the account may use it. On a server of your own, load the model first.
model-wrong-address = there is no such API at the address
    .mend = Check the path of { $url }: it must end where the API begins, for most providers in /v1, and must not name a route such as /chat/completions.
model-no-tools = the model takes no tools
    .mend = Put a model that can call tools into { $model }; without them the assistant can look nothing up.
model-parameter-refused = the provider refuses something in the request ({ $status })
    .mend = Set { $dialect } to the server that you use. If you set MODEL_TEMPERATURE, MODEL_TOP_P or MODEL_REASONING_EFFORT, try without them.
model-context-too-long = the request is longer than the model can read
    .mend = Set { $context_tokens } to what the model can read, or let its server read more (Ollama: OLLAMA_CONTEXT_LENGTH, llama.cpp: --ctx-size). The assistant needs 8192 at least.
model-status = the provider answers with an error ({ $status })
    .mend = See the provider's status page, and check { $url }. SECOND_MODEL would answer meanwhile.
model-not-reached = the provider cannot be reached
    .mend = Check the host and port of { $url }, and that this machine may connect to it: DNS, firewall, and in a container that 127.0.0.1 is the container itself.
model-breaks-off = its answers break off
    .mend = See the provider's status page, or the log of the model's server. SECOND_MODEL would answer meanwhile.
model-length-limit = its answer reaches the length limit
    .mend = Raise MODEL_OUTPUT_TOKENS, or let the model reason less with MODEL_REASONING_EFFORT=low.
model-content-filter = the provider's filter withholds the answer
    .mend = Loosen the filter in the provider's settings, or take another model in { $model }.
model-garbage = what answers at the address does not speak this API
    .mend = Check { $url }: it must be the API's address and not a web page's. MODEL says which API is spoken there.
model-empty = its answer is empty
    .mend = If it reasons, raise MODEL_OUTPUT_TOKENS or set MODEL_REASONING_EFFORT=low. Otherwise its chat template may be wrong: take another model in { $model }.
