/*
 * Compiled systems on disk, found by what they were compiled from. A file holds the whole key,
 * which is compared, so that neither a collision of the name's hash nor a damaged or foreign file
 * is ever run; any failure only costs a compilation. Folder: $GENMATH_CACHE ("" turns the cache
 * off), else $XDG_CACHE_HOME/genmath, else $HOME/.cache/genmath.
 */
#pragma once

#include <algorithm>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace gm {

/* FNV-1a, 64 bits. */
inline uint64_t content_hash(const std::string &text) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (const char c : text) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    }
    return hash;
}

inline std::string hash_text(uint64_t hash) {
    char digits[17];
    snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash));
    return digits;
}

/* Stands for the kernels' headers in a key. */
template <class Header> std::string embedded_digest(const Header *headers, int count) {
    std::string all;
    for (int i = 0; i < count; ++i) {
        all += headers[i].text;
    }
    return hash_text(content_hash(all));
}

/* The cache folder with its slash, made if need be; "" if there is none. */
inline std::string cache_folder() {
    std::string folder;
    if (const char *named = getenv("GENMATH_CACHE")) {
        folder = named;
    } else if (const char *cache = getenv("XDG_CACHE_HOME")) {
        folder = std::string(cache) + "/genmath";
    } else if (const char *home = getenv("HOME")) {
        mkdir((std::string(home) + "/.cache").c_str(), 0700);
        folder = std::string(home) + "/.cache/genmath";
    }
    if (folder.empty() || (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)) {
        return "";
    }
    return folder + "/";
}

constexpr char CACHE_MAGIC[8] = {'G', 'M', 'J', 'I', 'T', '0', '1', '\n'};

inline bool jit_cache_load(const std::string &key, std::vector<char> *image) {
    const std::string folder = cache_folder();
    FILE *file = folder.empty()
                     ? nullptr
                     : fopen((folder + hash_text(content_hash(key)) + ".cubin").c_str(), "rb");
    if (file == nullptr) {
        return false;
    }
    struct stat info;
    const size_t head = sizeof CACHE_MAGIC + sizeof(uint64_t) + key.size();
    std::vector<char> bytes;
    bool good = fstat(fileno(file), &info) == 0 && info.st_size > static_cast<off_t>(head) &&
                info.st_size < (64 << 20);
    if (good) {
        bytes.resize(static_cast<size_t>(info.st_size));
        good = fread(bytes.data(), 1, bytes.size(), file) == bytes.size();
    }
    fclose(file);
    const uint64_t image_hash =
        good ? content_hash(std::string(bytes.begin() + static_cast<long>(head), bytes.end())) : 0;
    good =
        good && std::equal(CACHE_MAGIC, CACHE_MAGIC + sizeof CACHE_MAGIC, bytes.data()) &&
        std::equal(reinterpret_cast<const char *>(&image_hash),
                   reinterpret_cast<const char *>(&image_hash) + sizeof image_hash,
                   bytes.data() + sizeof CACHE_MAGIC) &&
        std::equal(key.begin(), key.end(), bytes.begin() + sizeof CACHE_MAGIC + sizeof image_hash);
    if (good) {
        image->assign(bytes.begin() + static_cast<long>(head), bytes.end());
    }
    return good;
}

/* Written to a file of its own, then renamed: a reader sees all of it or nothing. */
inline void jit_cache_store(const std::string &key, const std::vector<char> &image) {
    const std::string folder = cache_folder();
    if (folder.empty()) {
        return;
    }
    std::string temporary = folder + "new-XXXXXX";
    const int descriptor = mkstemp(&temporary[0]);
    FILE *file = descriptor >= 0 ? fdopen(descriptor, "wb") : nullptr;
    if (file == nullptr) {
        return;
    }
    const uint64_t image_hash = content_hash(std::string(image.begin(), image.end()));
    const bool written = fwrite(CACHE_MAGIC, sizeof CACHE_MAGIC, 1, file) == 1 &&
                         fwrite(&image_hash, sizeof image_hash, 1, file) == 1 &&
                         fwrite(key.data(), 1, key.size(), file) == key.size() &&
                         fwrite(image.data(), 1, image.size(), file) == image.size();
    if (fclose(file) != 0 || !written ||
        rename(temporary.c_str(), (folder + hash_text(content_hash(key)) + ".cubin").c_str()) !=
            0) {
        unlink(temporary.c_str());
    }
}

} // namespace gm
