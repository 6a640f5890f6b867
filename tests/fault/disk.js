module.exports={cases:async()=>{}}
