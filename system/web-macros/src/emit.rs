//! The code that a router's text stands for.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};

use crate::parse::{Route, Router, Target};

pub(crate) fn router(router: &Router) -> TokenStream {
    let krate = &router.krate;
    let table = router.routes.iter().map(|route| table_row(router, route));
    let pipelines: Vec<Ident> = (0..router.pipelines.len()).map(|at| format_ident!("pipeline_{at}")).collect();
    let forwards: Vec<Ident> = router.routes.iter().enumerate().filter_map(forward_field).collect();
    let fields: Vec<&Ident> = pipelines.iter().chain(&forwards).collect();
    let types: Vec<Ident> = (0..fields.len()).map(|at| format_ident!("P{at}")).collect();
    let values = router.pipelines.iter().map(|pipeline| {
        let plugs = &pipeline.plugs;
        quote!((#(#plugs,)*))
    });
    let values = values.chain(router.routes.iter().filter_map(|route| match &route.target {
        Target::Forward(plug) => Some(quote!(#plug)),
        Target::Handler(_) => None,
    }));
    let arms = router.routes.iter().enumerate().map(|(at, route)| arm(router, at, route));
    let path = path_macro(router);
    quote! {
        /// The router: a plug that finds the route of a request and calls its pipelines and its handler.
        pub fn router() -> impl #krate::Router {
            const ROUTES: &[#krate::Route] = &[#(#table),*];

            struct Routes<#(#types),*> {
                table: #krate::RouteTable,
                #(#fields: #types,)*
            }

            impl<#(#types: #krate::Plug),*> #krate::Plug for Routes<#(#types),*> {
                async fn call(&self, conn: &mut #krate::Conn) -> #krate::Result {
                    let ::core::option::Option::Some(route) = self.table.find(conn)? else {
                        return ::core::result::Result::Ok(());
                    };
                    match route {
                        #(#arms)*
                        _ => ::core::unreachable!("the table has no other routes"),
                    }
                    ::core::result::Result::Ok(())
                }

                fn name(&self) -> &'static str {
                    "router"
                }
            }

            impl<#(#types: #krate::Plug),*> #krate::Router for Routes<#(#types),*> {
                fn routes(&self) -> &'static [#krate::Route] {
                    ROUTES
                }
            }

            Routes { table: #krate::RouteTable::new(ROUTES), #(#fields: #values,)* }
        }

        #path
    }
}

fn forward_field((at, route): (usize, &Route)) -> Option<Ident> {
    matches!(route.target, Target::Forward(_)).then(|| format_ident!("forward_{at}"))
}

fn table_row(router: &Router, route: &Route) -> TokenStream {
    let krate = &router.krate;
    let (method, path, handler) = (route.method, &route.path, route.name());
    let is_forward = matches!(route.target, Target::Forward(_));
    let pipelines = route.through.iter().map(|at| router.pipelines[*at].name.to_string());
    quote! {
        #krate::Route::new(#method, #path, #handler, &[#(#pipelines),*], #is_forward)
    }
}

/// The way of a request through its pipelines to the handler, and back.
fn arm(router: &Router, at: usize, route: &Route) -> TokenStream {
    let krate = &router.krate;
    let mut way = match &route.target {
        Target::Handler(handler) => quote! {
            conn.handler_begins();
            let outcome = #krate::handle(#handler, conn).await;
            conn.finish(outcome);
        },
        Target::Forward(_) => {
            let field = format_ident!("forward_{at}");
            let taken = if route.path == "/" { 0 } else { route.path.len() };
            quote! {
                conn.mount(#taken);
                conn.run(&self.#field).await;
                conn.run_back(&self.#field).await;
            }
        }
    };
    for pipeline in route.through.iter().rev() {
        let field = Ident::new(&format!("pipeline_{pipeline}"), Span::call_site());
        let called = router.pipelines[*pipeline].name.to_string();
        way = quote! {
            conn.run_pipeline(#called, &self.#field).await;
            if !conn.is_halted() {
                #way
            }
            conn.run_pipeline_back(#called, &self.#field).await;
        };
    }
    quote!(#at => { #way })
}

/// `path!`, which knows this router's routes.
fn path_macro(router: &Router) -> TokenStream {
    let krate = &router.krate;
    let rows = router.routes.iter().filter(|route| matches!(route.target, Target::Handler(_))).map(|route| {
        let (name, method, path) = (route.name(), route.method, &route.path);
        quote!(#name #method #path)
    });
    quote! {
        #[allow(unused_macros, reason = "not every router's paths are written anywhere")]
        macro_rules! __path_of_routes {
            ($($asked:tt)*) => { #krate::__path! { #krate; [#(#rows),*] $($asked)* } };
        }
        #[allow(unused_imports, reason = "the same")]
        pub(crate) use __path_of_routes as path;
    }
}
