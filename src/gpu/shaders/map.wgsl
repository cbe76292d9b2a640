// One of the maps that are read. What ends in _0 is there once for each of them, as WGSL has no arrays of bindings.

@group(0) @binding(4) var<storage, read> map_0: array<Stored>;

fn feature_0(place: Place, row: u32, column: u32) -> vec4<Real> {
    let at = place.roi.image + row * place.roi.width + column;
    return widen(map_0[at * call.source_quads + place.source_quad]);
}
