"""The shaders of pies and bars: what a spot looks like, at every size. See `pie_visual`."""

__all__ = ["FRAGMENT", "VERTEX"]

VERTEX = """
attribute vec2 a_corner;
attribute vec3 a_place;
attribute float a_index;
uniform sampler2D u_spots;
uniform vec3 u_spots_size;
uniform sampler2D u_colours;
uniform float u_n_colours;
uniform float u_square;
uniform float u_sprite;
varying vec2 v_at;
varying float v_px;
varying float v_index;
varying float v_scale;
varying vec4 v_spot;
varying vec4 v_dominant;

void main() {
    float line = floor((a_index + 0.5) / u_spots_size.z);
    float column = a_index - line * u_spots_size.z;
    v_spot = floor(texture2D(u_spots, (vec2(column, line) + 0.5) / u_spots_size.xy) * 255.0 + 0.5);
    v_dominant = texture2D(u_colours, vec2((v_spot.x + 0.5) / u_n_colours, 0.5));
    v_index = a_index;
    vec4 centre = $to_framebuffer(vec4(a_place.xy, 0.0, 1.0));
    vec4 side = $to_framebuffer(vec4(a_place.x + a_place.z, a_place.y, 0.0, 1.0));
    float px = length(side.xy / side.w - centre.xy / centre.w);
    v_px = max(px, 0.75);
    v_scale = px / v_px;
    float outline = mod(v_spot.z, 2.0) > 0.5 ? 3.2 * max(clamp(v_px / 9.0, 0.35, 1.0), v_px / 45.0) : 0.0;
    float reach = v_px + (u_square > 0.5 ? 0.0 : 0.75 + outline);
    vec2 corner_at = u_sprite > 0.5 ? vec2(0.0) : a_corner;
    v_at = (u_sprite > 0.5 ? vec2(1.0) : a_corner) * reach / v_px;
    gl_PointSize = 2.0 * reach;
    vec4 corner = centre + vec4(corner_at * reach * centre.w, 0.0, 0.0);
    if (u_square > 0.5 && u_sprite < 0.5) corner = $to_framebuffer(vec4(a_place.xy + a_corner * a_place.z, 0.0, 1.0));
    gl_Position = v_spot.w > 0.5 ? $to_render(corner) : vec4(2.0, 2.0, 2.0, 1.0);
}
"""

FRAGMENT = """
uniform sampler2D u_slots;
uniform vec3 u_slots_size;
uniform float u_n_slots;
uniform sampler2D u_colours;
uniform float u_n_colours;
uniform float u_square;
uniform float u_bars;
uniform float u_dominant;
uniform float u_ring;
uniform float u_sprite;
varying vec2 v_at;
varying float v_px;
varying float v_index;
varying float v_scale;
varying vec4 v_spot;
varying vec4 v_dominant;

const float TURN = 6.28318530718;

vec2 slot(vec2 first, float k) {
    vec4 held = texture2D(u_slots, (first + vec2(k + 0.5, 0.5)) / u_slots_size.xy) * 255.0;
    return vec2((floor(held.r + 0.5) * 256.0 + floor(held.g + 0.5)) / 65535.0, floor(held.b + 0.5));
}

vec4 colour_of(float kind) {
    return texture2D(u_colours, vec2((kind + 0.5) / u_n_colours, 0.5));
}

bool sign_of(float signs, float bit) {
    return mod(floor(signs / bit), 2.0) > 0.5;
}

// the colour at a share of the turn, or of the bar; half a pixel beyond an end it is the neighbour's
vec4 sector(float share, float px_a_share, float nearest) {
    float index = floor(v_index + 0.5);
    float line = floor((index + 0.5) / u_slots_size.z);
    vec2 first = vec2((index - line * u_slots_size.z) * u_n_slots, line);
    float low = 0.0, high = u_n_slots - 1.0;
    for (int i = 0; i < 8; i++) {
        if (low >= high) break;
        float middle = floor((low + high) * 0.5);
        if (slot(first, middle).x < share) low = middle + 1.0; else high = middle;
    }
    vec2 here = slot(first, low);
    vec2 before = low > 0.5 ? slot(first, low - 1.0) : vec2(0.0, -1.0);
    vec4 colour = colour_of(here.y);
    if (here.x - before.x > 0.9999) return colour;
    float wraps = 1.0 - u_bars;
    float other = before.y >= 0.0 ? before.y : (wraps > 0.5 ? slot(first, u_n_slots - 1.0).y : here.y);
    float next = here.x < 0.99999 ? slot(first, low + 1.0).y : (wraps > 0.5 ? slot(first, 0.0).y : here.y);
    float to_start = share - before.x, to_end = here.x - share;
    // across a sector's side distances are those to a ray from the middle
    if (wraps > 0.5) {
        to_start = nearest * sin(TURN * min(to_start, 0.25));
        to_end = nearest * sin(TURN * min(to_end, 0.25));
    } else {
        to_start *= px_a_share;
        to_end *= px_a_share;
    }
    colour = mix(colour, colour_of(other), clamp(0.5 - to_start, 0.0, 0.5));
    return mix(colour, colour_of(next), clamp(0.5 - to_end, 0.0, 0.5));
}

void main() {
    vec2 at = u_sprite > 0.5 ? v_at * (2.0 * gl_PointCoord - 1.0) * vec2(1.0, -1.0) : v_at;
    float signs = v_spot.z;
    bool squared = u_square > 0.5 || u_bars > 0.5;
    float half_side = u_square > 0.5 ? 1.0 : 0.8862;  // a bar has the area of its spot
    float radius = squared ? half_side : 1.0;
    float out_from = squared ? max(abs(at.x), abs(at.y)) : length(at);
    float beyond = (out_from - radius) * v_px;  // in pixels of the screen, negative within
    float large = smoothstep(6.0, 9.0, 2.0 * v_px * v_scale);  // 0: so small that one colour is all that is seen
    float parts = large * (1.0 - u_dominant);

    float unsure = v_spot.y > 252.0 ? 0.0 : v_spot.y / 250.0;
    float ring = u_ring * smoothstep(16.0, 28.0, 2.0 * v_px) * unsure * 0.24 * radius;  // a thin one is only grey
    float filled = (out_from - (radius - ring)) * v_px;

    vec4 colour = v_dominant;
    if (sign_of(signs, 4.0) || sign_of(signs, 8.0)) {
        float cross_px = abs(abs(at.x) - abs(at.y)) * 0.7071 * v_px - 0.09 * v_px;
        colour = mix(vec4(0.16, 0.16, 0.18, 0.9), vec4(0.78, 0.78, 0.80, 0.35), clamp(cross_px + 0.5, 0.0, 1.0));
    } else {
        if (parts > 0.0) {
            float share = atan(at.x, at.y) / TURN;
            float inner = half_side - ring;
            if (u_bars > 0.5) share = clamp((at.x + inner) / (2.0 * inner), 0.0, 1.0);
            else share = share < 0.0 ? share + 1.0 : share;
            colour = mix(v_dominant, sector(share, 2.0 * inner * v_px, out_from * v_px), parts);
        }
        if (sign_of(signs, 2.0)) {
            float step_px = max(5.0, 0.42 * v_px);
            float stripe = abs(mod((at.x + at.y) * 0.7071 * v_px, step_px) - 0.5 * step_px);
            float drawn = clamp(0.19 * step_px + 0.5 - stripe, 0.0, 1.0);
            colour = mix(colour, vec4(0.05, 0.05, 0.07, 1.0), 0.88 * drawn * large);
        }
        if (ring > 0.0) {
            float grey = 0.30 + 0.70 * unsure;
            vec4 band = vec4(grey, grey, grey, 1.0);
            // a dark hairline on either side keeps the band apart from light types and from clear glass
            float line = max(clamp(1.0 - abs(filled), 0.0, 1.0), clamp(1.0 - abs(beyond + 0.7), 0.0, 1.0));
            band = mix(band, vec4(0.08, 0.08, 0.10, 1.0), 0.85 * line);
            colour = mix(colour, band, clamp(filled + 0.5, 0.0, 1.0));
        }
    }
    float seen = clamp(0.5 - beyond, 0.0, 1.0);
    if (u_square > 0.5) seen = 1.0;
    colour.a *= seen;
    if (sign_of(signs, 1.0)) {
        float thick = max(clamp(v_px / 9.0, 0.35, 1.0), v_px / 45.0);
        float away = u_square > 0.5 ? beyond + 3.0 * thick : beyond;
        float dark = clamp(0.5 + 1.6 * thick - away, 0.0, 1.0);
        float light = clamp(0.5 + 3.0 * thick - away, 0.0, 1.0);
        float outer = clamp(away + 0.5, 0.0, 1.0) * light;
        vec4 line = mix(vec4(1.0), vec4(0.0, 0.0, 0.0, 1.0), dark);
        colour = vec4(mix(colour.rgb, line.rgb, outer), max(colour.a, outer));
    }
    colour.a *= v_spot.w / 255.0 * v_scale * v_scale;
    if (colour.a <= 0.0) discard;
    gl_FragColor = colour;
}
"""
