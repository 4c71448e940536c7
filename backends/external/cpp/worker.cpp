// A Yardstick worker to start from, in C++17, standard library only: speaks backends/PROTOCOL.md over stdio. It lists a device,
// plans and loads; every other call is answered `unsupported`, which makes its cells skipped and says why. Put your engine
// where FILL IN stands, in the order load, observe, prepare, warm_up, sample; backends/external/session.py shows each.
//
// build: g++ -std=c++17 -O2 -pthread worker.cpp -o worker
// usage: yardstick run --worker hollow=./worker --devices hollow ...

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

// Enough JSON for requests, and no more: numbers are doubles (exact to 2^53: ids and sizes are), \u escapes outside ASCII
// and nesting beyond 32 levels are refused, duplicate keys keep the last. Use a library where you need more.
struct Json {
    enum Kind { Null, Bool, Number, Text, List, Object } kind = Null;
    bool boolean = false;
    double number = 0;
    std::string text;
    std::vector<Json> list;
    std::map<std::string, Json> object;

    const Json &operator[](const std::string &key) const {
        static const Json nothing;
        auto found = object.find(key);
        return found == object.end() ? nothing : found->second;
    }
    uint64_t count(uint64_t otherwise) const {
        return kind == Number && number >= 0 && number < 9e15 ? static_cast<uint64_t>(number) : otherwise;
    }
};

class Parser {
  public:
    explicit Parser(const std::string &line) : line(line) {}

    Json whole() {
        Json value = this->value(0);
        space();
        if (at != line.size()) fail("something follows the value");
        return value;
    }

  private:
    const std::string &line;
    size_t at = 0;

    [[noreturn]] void fail(const char *what) const {
        throw std::runtime_error("column " + std::to_string(at) + ": " + what);
    }
    char peek() const { return at < line.size() ? line[at] : '\0'; }
    void space() {
        while (peek() == ' ' || peek() == '\t' || peek() == '\r') ++at;
    }
    bool take(char c) {
        space();
        if (peek() != c) return false;
        ++at;
        return true;
    }
    void need(char c) {
        if (!take(c)) fail("another character was expected");
    }
    bool word(const std::string &name) {
        if (line.compare(at, name.size(), name) != 0) return false;
        at += name.size();
        return true;
    }

    Json value(int depth) {
        if (depth > 32) fail("nested too deep");
        Json value;
        space();
        if (peek() == '"') {
            value.kind = Json::Text;
            value.text = string();
        } else if (take('{')) {
            value.kind = Json::Object;
            while (!take('}')) {
                if (!value.object.empty()) need(',');
                space();
                std::string key = string();
                need(':');
                value.object[key] = this->value(depth + 1);
            }
        } else if (take('[')) {
            value.kind = Json::List;
            while (!take(']')) {
                if (!value.list.empty()) need(',');
                value.list.push_back(this->value(depth + 1));
            }
        } else if (word("true")) {
            value.kind = Json::Bool;
            value.boolean = true;
        } else if (word("false")) {
            value.kind = Json::Bool;
        } else if (!word("null")) {
            const char *begin = line.c_str() + at;
            char *end = nullptr;
            value.kind = Json::Number;
            value.number = std::strtod(begin, &end);
            if (end == begin || (*begin != '-' && (*begin < '0' || *begin > '9'))) fail("no value");
            at += static_cast<size_t>(end - begin);
        }
        return value;
    }

    std::string string() {
        need('"');
        std::string text;
        for (;;) {
            if (at >= line.size()) fail("a string has no end");
            char c = line[at++];
            if (c == '"') return text;
            if (c != '\\') {
                text += c;
                continue;
            }
            char escape = at < line.size() ? line[at++] : '\0';
            static const std::map<char, char> plain = {{'"', '"'}, {'\\', '\\'}, {'/', '/'}, {'b', '\b'},
                                                       {'f', '\f'}, {'n', '\n'}, {'r', '\r'}, {'t', '\t'}};
            auto found = plain.find(escape);
            if (found != plain.end()) {
                text += found->second;
            } else if (escape == 'u' && line.compare(at, 2, "00") == 0 && at + 4 <= line.size()) {
                long code = std::strtol(line.substr(at, 4).c_str(), nullptr, 16);
                if (code >= 128) fail("an escape outside ASCII");
                text += static_cast<char>(code);
                at += 4;
            } else {
                fail("an escape that is not understood");
            }
        }
    }
};

// A string as JSON text.
std::string quoted(const std::string &text) {
    std::string out = "\"";
    for (unsigned char c : text) {
        char escape[8];
        if (c == '"' || c == '\\') {
            out += '\\';
            out += static_cast<char>(c);
        } else if (c < 32) {
            std::snprintf(escape, sizeof escape, "\\u%04x", c);
            out += escape;
        } else {
            out += static_cast<char>(c);
        }
    }
    return out + "\"";
}

// A value that is missing, and why: never 0, never a guess.
std::string unknown(const std::string &reason) { return "{\"unavailable\":" + quoted(reason) + "}"; }

// A call that failed in a worker that lives on; the kinds are PROTOCOL.md's.
struct Fault {
    std::string kind, message;
};

// One message is one line, whichever thread sends it. Nothing else may print to stdout.
void say(const std::string &message) {
    static std::mutex turn;
    std::lock_guard<std::mutex> lock(turn);
    std::cout << message << '\n' << std::flush;
    if (!std::cout) std::_Exit(0);
}

// Requests in order; cancels do not wait in line.
struct Requests {
    std::mutex guard;
    std::condition_variable arrived;
    std::deque<std::string> lines;
    std::atomic<uint64_t> cancelled{0};

    void read() {
        for (std::string line; std::getline(std::cin, line);) {
            if (line.size() > (16u << 20)) std::_Exit(1);
            try {
                Json request = Parser(line).whole();
                if (request["call"].text == "cancel") {
                    cancelled = request["id"].count(0);
                    continue;
                }
            } catch (const std::exception &) {
                // The serving thread says what is wrong with it.
            }
            std::lock_guard<std::mutex> lock(guard);
            lines.push_back(line);
            arrived.notify_one();
        }
        std::_Exit(0);  // the parent is gone, perhaps in the middle of a call
    }
    std::string next() {
        std::unique_lock<std::mutex> lock(guard);
        arrived.wait(lock, [this] { return !lines.empty(); });
        std::string line = lines.front();
        lines.pop_front();
        return line;
    }
};

const char *const DEVICE = "hollow:0";

// FILL IN: your engine's model and its caches. `facts` says what really runs, not what was asked.
struct Session {
    uint64_t sequences, context, chunk;
    std::string kv;

    std::string facts() const {
        const std::string none = unknown("nothing runs in this skeleton");
        return "{\"device\":" + quoted(DEVICE) + ",\"isa\":" + none + ",\"adapter\":" + none + ",\"driver\":" + none +
               ",\"threads\":" + none + ",\"context\":" + std::to_string(context) +
               ",\"sequences\":" + std::to_string(sequences) + ",\"chunk\":" + std::to_string(chunk) + ",\"kv\":" + quoted(kv) +
               ",\"numerics\":\"f32\",\"mapped_bytes\":0,\"copied_bytes\":0,\"kv_bytes\":0,\"scratch_bytes\":0,"
               "\"streamed_bytes\":0,\"kernels\":{},\"notes\":{}}";
    }
};

// FILL IN: whether your engine can read the file. Here: it is GGUF.
void check(const Json &load) {
    if (load["device"].text != DEVICE) throw Fault{"invalid", "there is no device " + load["device"].text};
    std::ifstream file(load["model"].text, std::ios::binary);
    char magic[4] = {};
    if (!file.read(magic, 4)) throw Fault{"model", load["model"].text + ": cannot be read"};
    if (std::string(magic, 4) != "GGUF") throw Fault{"model", load["model"].text + ": not a GGUF file"};
}

// What each call answers.
std::string answer(const std::string &name, const Json &asked, std::vector<Session> &loaded) {
    if (name == "hello")
        return "{\"hello\":{\"protocol\":1,\"name\":\"hollow\",\"version\":\"1\",\"backends\":[\"hollow\"]}}";
    if (name == "devices")  // FILL IN: kind cpu, gpu or npu; class hardware; or {"missing":{"id","reason","fix"}}
        return "{\"devices\":{\"devices\":[{\"ready\":{\"id\":" + quoted(DEVICE) +
               ",\"name\":\"a skeleton in C++\",\"kind\":\"none\",\"class\":\"software\",\"numerics\":[\"f32\"],"
               "\"memory_bytes\":" + unknown("not asked") + ",\"preferred\":true}}]}}";
    if (name == "plan") {  // FILL IN: the bytes it would take
        check(asked);
        return "{\"planned\":{\"footprint\":{\"mapped_bytes\":0,\"copied_bytes\":0,\"kv_bytes\":0,\"scratch_bytes\":0}}}";
    }
    if (name == "load") {
        auto start = std::chrono::steady_clock::now();
        check(asked);
        const Json &options = asked["options"];
        loaded.assign(1, Session{options["sequences"].count(1), options["context"].count(512),
                                 options["chunk"].count(512), options["kv"].text});
        auto taken = std::chrono::steady_clock::now() - start;
        return "{\"loaded\":{\"facts\":" + loaded[0].facts() + ",\"load_ns\":" +
               std::to_string(std::chrono::duration_cast<std::chrono::nanoseconds>(taken).count() + 1) + "}}";
    }
    if (name == "ceiling") return "{\"ceiling\":{\"reached\":" + unknown("it measures no limits") + "}}";
    if (name == "profile") return "{\"profile\":{\"profile\":null}}";
    if (name == "stop") return "\"stopped\"";
    for (const char *known : {"observe", "expect", "prepare", "warm_up", "sample", "generate", "logits"})
        if (name == known) throw Fault{"unsupported", name + " is not filled in: backends/external/cpp/worker.cpp is a skeleton"};
    throw Fault{"invalid", "call " + quoted(name) + " is not known"};
}

int main() {
    static Requests requests;
    std::thread([] { requests.read(); }).detach();
    std::thread([] {
        for (uint64_t beat = 1;; ++beat) {
            std::this_thread::sleep_for(std::chrono::milliseconds(500));
            say("{\"heartbeat\":{\"beat\":" + std::to_string(beat) + "}}");
        }
    }).detach();
    std::vector<Session> loaded;
    for (;;) {
        std::string line = requests.next(), name;
        Json request;
        try {
            request = Parser(line).whole();
        } catch (const std::exception &error) {
            std::cerr << "worker: not a request: " << error.what() << '\n';
            std::_Exit(1);
        }
        const Json &call = request["call"];
        const bool plain = call.kind == Json::Text;
        if (plain || call.object.size() == 1) name = plain ? call.text : call.object.begin()->first;
        const std::string id = std::to_string(request["id"].count(0));
        try {
            const std::string said = answer(name, call[name], loaded);
            say("{\"reply\":{\"id\":" + id + ",\"answer\":" + said + "}}");
        } catch (const Fault &fault) {
            say("{\"fault\":{\"id\":" + id + ",\"kind\":" + quoted(fault.kind) + ",\"message\":" + quoted(fault.message) +
                ",\"fix\":null}}");
        }
        if (name == "stop") std::_Exit(0);  // the other threads wait for input that need not come
    }
}
